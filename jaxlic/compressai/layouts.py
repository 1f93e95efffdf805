"""Where each of CompressAI's architectures keeps what ours has elsewhere.

A layout is a table of layers. To add an architecture, give it a row in LAYOUTS;
a layer of a new kind also needs a row in `layers.KINDS`.

References:
  Begaint et al., "CompressAI", 2020; models/google.py of release 1.2.8.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxlic.types import JaxlicError

Weights = Mapping[str, np.ndarray]


class Layer(NamedTuple):
  """A layer's kind, and where its weights are: prefixes of their names."""

  kind: str  # a key of layers.KINDS
  source: str  # in a checkpoint, "g_a.0"
  target: str  # in our parameters, "analysis/params/conv0"


class Layout(NamedTuple):
  """An architecture of CompressAI."""

  layers: tuple[Layer, ...]
  tables: dict[str, str]  # by stage, the source of its integer tables
  options: Callable[[Weights], dict[str, Any]]  # of models.make; reads shapes


def sequence(source: str, target: str, kinds: str) -> list[Layer]:
  """Returns the layers of an `nn.Sequential`.

  Ours are numbered by what they are, conv0, gdn0, conv1, ...: convolutions up
  and down count together.

  Args:
    source: Its name, "g_a".
    target: The part of our parameters, "analysis".
    kinds: Of its layers in turn; "-" stands for one without weights.
  """
  found, counts = [], {}
  for index, kind in enumerate(kinds.split()):
    if kind != "-":
      name = kind.removeprefix("up_")
      number = counts[name] = counts.get(name, -1) + 1
      layer = Layer(
        kind, f"{source}.{index}", f"{target}/params/{name}{number}"
      )
      found.append(layer)
  return found


def axis(weights: Weights, key: str, number: int) -> int:
  """Returns the size of an axis of a weight.

  Raises:
    JaxlicError: If it has no such axis, or nothing along it.
  """
  shape = weights[key].shape
  if len(shape) <= number or 0 in shape:
    raise JaxlicError(
      f"{key} has more than {number} axes and none of size 0, got {shape}; "
      "fetch or save the checkpoint again"
    )
  return shape[number]


def widths(weights: Weights) -> dict[str, Any]:
  """Returns the options of models whose analysis is that of bmshj2018."""
  return {
    "width": axis(weights, "g_a.0.weight", 0),
    "latent": axis(weights, "g_a.6.weight", 0),
  }


_TRANSFORMS = (
  *sequence("g_a", "analysis", "conv gdn conv gdn conv gdn conv"),
  *sequence("g_s", "synthesis", "up_conv gdn up_conv gdn up_conv gdn up_conv"),
)
_HYPER_TRANSFORMS = (
  *sequence("h_a", "hyper_analysis", "conv - conv - conv"),
  *sequence("h_s", "hyper_synthesis", "up_conv - up_conv - conv"),
)
_Y_DENSITY = Layer("density", "entropy_bottleneck", "y_density")
_Z_DENSITY = Layer("density", "entropy_bottleneck", "z_density")
_HYPER_TABLES = {"z": "entropy_bottleneck", "y": "gaussian_conditional"}

LAYOUTS = {
  "bmshj2018-factorized": Layout(
    (*_TRANSFORMS, _Y_DENSITY), {"y": "entropy_bottleneck"}, widths
  ),
  "bmshj2018-hyperprior": Layout(
    (*_TRANSFORMS, *_HYPER_TRANSFORMS, _Z_DENSITY), _HYPER_TABLES, widths
  ),
  "mbt2018-mean": Layout(
    (*_TRANSFORMS, *_HYPER_TRANSFORMS, _Z_DENSITY), _HYPER_TABLES, widths
  ),
}
