"""Where each of CompressAI's architectures keeps what ours has elsewhere.

A layout is a table of layers. To add an architecture, give it a row in LAYOUTS;
a block of a new kind also needs a row in `sequences.BLOCKS`, a layer of a new
kind one in `layers.KINDS`.

References:
  Begaint et al., "CompressAI", 2020; models/google.py, models/waseda.py and
  models/sensetime.py of release 1.2.8.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxlic.compressai.sequences import Layer, sequence
from jaxlic.errors import JaxlicError

Weights = Mapping[str, np.ndarray]


class Layout(NamedTuple):
  """An architecture of CompressAI."""

  layers: tuple[Layer, ...]
  tables: dict[str, str]  # by stage, the source of its integer tables
  options: Callable[[Weights], dict[str, Any]]  # of models.make; reads shapes


def find(architecture: str, weights: Weights) -> Layout:
  """Returns the layout of an architecture, a key of LAYOUTS.

  ELIC's has as many groups of channels as the weights name.
  """
  layout = LAYOUTS[architecture]
  return layout if isinstance(layout, Layout) else layout(weights)


def axis(weights: Weights, key: str, number: int, *, least: int = 1) -> int:
  """Returns the size of an axis of a weight.

  Raises:
    JaxlicError: If it has no such axis or less than `least` along it, or
      nothing along another.
  """
  shape = weights[key].shape
  if len(shape) <= number or 0 in shape or shape[number] < least:
    raise JaxlicError(
      f"{key} has {least} or more along axis {number} and no axis of 0, got "
      f"{shape}; fetch or save the checkpoint again"
    )
  return shape[number]


def widths(weights: Weights) -> dict[str, Any]:
  """Returns the options of models whose analysis is that of bmshj2018."""
  return {
    "width": axis(weights, "g_a.0.weight", 0),
    "latent": axis(weights, "g_a.6.weight", 0),
  }


def cheng_width(weights: Weights) -> dict[str, Any]:
  """Returns the option of Cheng 2020's models, whose layers have one width."""
  return {"width": axis(weights, "g_a.0.conv1.weight", 0, least=2)}


def elic(weights: Weights) -> Layout:
  """Returns the layout of ELIC, with two groups at least."""
  groups = 2
  while f"{_SPACE}.y{groups}.context_prediction.weight" in weights:
    groups += 1
  tables = {
    f"y{k}": f"{_SPACE}.y{k}.y.gaussian_conditional" for k in range(groups)
  }

  def options(weights: Weights) -> dict[str, Any]:
    sizes = [
      axis(weights, f"{_SPACE}.y{k}.context_prediction.weight", 1)
      for k in range(groups)
    ]
    return {
      "width": axis(weights, "g_a.0.weight", 0, least=2),
      "latent": axis(weights, "g_a.13.weight", 0),
      "groups": tuple(sizes[:-1]),
      "context_widths": tuple(
        axis(weights, f"{_CHANNELS}.y1.{k}.weight", 0) for k in (0, 2)
      ),
    }

  return Layout(
    (*_ELIC_TRANSFORMS, *itertools.chain(*map(_elic_group, range(groups)))),
    {"z": "latent_codec.hyper.entropy_bottleneck"} | tables,
    options,
  )


def _elic_group(k: int) -> list[Layer]:
  """What predicts the k-th group of channels of y."""
  here, target = f"{_SPACE}.y{k}", f"refinement{k}/params"
  layers = [
    Layer("conv", f"{here}.context_prediction", f"{target}/masked"),
    *sequence(
      f"{here}.entropy_parameters",
      f"{target}/aggregation",
      "conv - conv - conv",
    ),
  ]
  if k > 0:
    source, target = f"{_CHANNELS}.y{k}", f"channel_context{k}/params"
    layers += sequence(source, target, "conv - conv - conv")
  return layers


_CHANNELS = "latent_codec.y.channel_context"
_SPACE = "latent_codec.y.latent_codec"
_ANALYSIS, _SYNTHESIS = "analysis/params", "synthesis/params"
_HYPER_ANALYSIS = "hyper_analysis/params"
_HYPER_SYNTHESIS = "hyper_synthesis/params"

_TRANSFORMS = (
  *sequence("g_a", _ANALYSIS, "conv gdn conv gdn conv gdn conv"),
  *sequence("g_s", _SYNTHESIS, "up_conv gdn up_conv gdn up_conv gdn up_conv"),
)
_RELU_TRANSFORMS = (
  *sequence("g_a", _ANALYSIS, "conv - conv - conv - conv"),
  *sequence("g_s", _SYNTHESIS, "up_conv - up_conv - up_conv - up_conv"),
)
_Y_DENSITY = Layer("density", "entropy_bottleneck", "y_density")
_Z_DENSITY = Layer("density", "entropy_bottleneck", "z_density")
_HYPER = (
  *sequence("h_a", _HYPER_ANALYSIS, "conv - conv - conv"),
  *sequence("h_s", _HYPER_SYNTHESIS, "up_conv - up_conv - conv"),
  _Z_DENSITY,
)
_HYPER_TABLES = {"z": "entropy_bottleneck", "y": "gaussian_conditional"}
# Of masked kernels, all weights are kept; those under the mask are never read.
_CONTEXT = (
  Layer("conv", "context_prediction", "context/params/masked"),
  *sequence("entropy_parameters", "context/params", "dense - dense - dense"),
)
_CHENG_HYPER = (
  *sequence("h_a", _HYPER_ANALYSIS, "conv - conv - conv - conv - conv"),
  *sequence(
    "h_s", _HYPER_SYNTHESIS, "conv - up_subpixel - conv - up_subpixel - conv"
  ),
  _Z_DENSITY,
)
_CHENG_ANCHOR = (
  *sequence("g_a", _ANALYSIS, "down block down block down block"),
  Layer("conv", "g_a.6", f"{_ANALYSIS}/conv"),
  *sequence("g_s", _SYNTHESIS, "block up block up block up block up_subpixel"),
)
_CHENG_ATTENTION = (
  *sequence(
    "g_a",
    _ANALYSIS,
    "down block down attention block down block - attention",
  ),
  Layer("conv", "g_a.7", f"{_ANALYSIS}/conv"),
  *sequence(
    "g_s",
    _SYNTHESIS,
    "attention block up block up attention block up block up_subpixel",
  ),
)
_UNITS = "bottleneck bottleneck bottleneck"
_ELIC_TRANSFORMS = (
  *sequence(
    "g_a",
    _ANALYSIS,
    f"conv {_UNITS} conv {_UNITS} attention conv {_UNITS} conv attention",
  ),
  *sequence(
    "g_s",
    _SYNTHESIS,
    f"attention up_conv {_UNITS} up_conv attention {_UNITS} "
    f"up_conv {_UNITS} up_conv",
  ),
  *sequence("latent_codec.hyper.h_a", _HYPER_ANALYSIS, "conv - conv - conv"),
  # The last one is transposed, too, at stride 1.
  *sequence(
    "latent_codec.hyper.h_s", _HYPER_SYNTHESIS, "up_conv - up_conv - up_conv"
  ),
  Layer("density", "latent_codec.hyper.entropy_bottleneck", "z_density"),
)

LAYOUTS: dict[str, Layout | Callable[[Weights], Layout]] = {
  "bmshj2018-factorized": Layout(
    (*_TRANSFORMS, _Y_DENSITY), {"y": "entropy_bottleneck"}, widths
  ),
  "bmshj2018-factorized-relu": Layout(
    (*_RELU_TRANSFORMS, _Y_DENSITY), {"y": "entropy_bottleneck"}, widths
  ),
  "bmshj2018-hyperprior": Layout(
    (*_TRANSFORMS, *_HYPER), _HYPER_TABLES, widths
  ),
  "mbt2018-mean": Layout((*_TRANSFORMS, *_HYPER), _HYPER_TABLES, widths),
  "mbt2018": Layout((*_TRANSFORMS, *_HYPER, *_CONTEXT), _HYPER_TABLES, widths),
  "cheng2020-anchor": Layout(
    (*_CHENG_ANCHOR, *_CHENG_HYPER, *_CONTEXT), _HYPER_TABLES, cheng_width
  ),
  "cheng2020-attn": Layout(
    (*_CHENG_ATTENTION, *_CHENG_HYPER, *_CONTEXT), _HYPER_TABLES, cheng_width
  ),
  "elic2022": elic,
}
