"""ELIC: bottlenecks instead of normalization, channel and spatial contexts.

    analysis         conv5/2 BBB conv5/2 BBB A conv5/2 BBB conv5/2 A
    synthesis        A up5 BBB up5 A BBB up5 BBB up5
    hyper analysis   conv3 conv5/2 conv5/2
    hyper synthesis  up5 up5 conv3

B is a bottleneck residual block and A an attention, see nn/attention.py; up5
is a transposed convolution of stride 2. ReLUs lie between the convolutions of
the hyper networks.

y is coded in uneven groups of channels, and each in the order of a
checkerboard. A `ChannelContext` sums up the groups before, a masked convolution
what is known around a position, and `ParameterAggregation` predicts the
position's distribution from both and from z.

References:
  He, Yang, Peng, Ma, Qin, Wang, "ELIC: Efficient learned image compression with
  unevenly grouped space-channel contextual adaptive coding", 2022.
  Begaint et al., "CompressAI", 2020, models/sensetime.py (layers and widths).
  Its last layer of the hyper synthesis is a transposed convolution of stride 1,
  which is a convolution with the kernel turned by half a circle.
"""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import channel_groups, options, precision
from jaxlic.models.parts.channel_groups import ChannelGroup
from jaxlic.models.parts.net import Net, together
from jaxlic.models.parts.published import STRIDE, model_spec, published_widths
from jaxlic.models.parts.skeleton import Coded, code, hyperprior, transforms
from jaxlic.models.parts.stages import read_scale_and_mean
from jaxlic.nn import elic_networks as networks
from jaxlic.nn import hyper_networks, neighbours
from jaxlic.quantize import surrogates
from jaxlic.types import (
  Context,
  Grid,
  Model,
  Order,
  Params,
  Prediction,
  Quantizer,
)

WIDTH, LATENT = 192, 320
GROUPS = (16, 16, 32, 64)  # channels of the first groups; the last has the rest

ContextWidths = Annotated[tuple[int, int], options.wholes(1, 2)]


def make(
  *,
  quality: options.Published = 4,
  width: Annotated[int, options.whole(2)] = WIDTH,
  latent: options.Count = LATENT,
  groups: options.Counts = GROUPS,
  context_widths: ContextWidths = networks.CONTEXT_WIDTHS,
  surrogate: options.Surrogate = "mixed",
  dtype: options.Precision = "float32",
  name: options.Word = "elic2022",
) -> Model:
  """Returns the model at the weight of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion.
    width: Channels inside the transforms and of z.
    latent: Channels of y.
    groups: Channels of the groups of y but for the last, which has the rest.
    context_widths: Channels inside a `ChannelContext`.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype, or no channel
      is left for the last group.
  """
  published_widths(quality, width, latent, 1)
  if not groups or min(*groups, latent - sum(groups)) < 1:
    raise JaxlicError(
      f"y has a group of channels or more besides the last, which has the rest "
      f"of its {latent}, got {groups}; give other groups"
    )
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  sizes = (*groups, latent - sum(groups))
  split = channel_groups.split(sizes, two_pass=0, stride=STRIDE)
  return hyperprior(
    model_spec(name, quality),
    transforms(
      networks.Analysis(width, latent, dtype),
      networks.Synthesis(width, dtype),
      hyper_networks.HyperAnalysis(width, dtype, nn.relu),
      # It makes `2 * width` channels for the aggregations.
      hyper_networks.HyperSynthesis(width, dtype, nn.relu),
      latent=latent,
      hyper_latent=width,
    ),
    quantizer,
    [
      _code(k, group, width, context_widths, quantizer, dtype)
      for k, group in enumerate(split)
    ],
  )


def _code(
  k: int,
  group: ChannelGroup,
  width: int,
  context_widths: tuple[int, int],
  quantizer: Quantizer,
  dtype: str,
) -> Coded:
  """How the k-th group is coded, in the order of a checkerboard."""
  size = group.stop - group.start
  summary = Net(
    f"channel_context{k}",
    networks.ChannelContext(2 * size, context_widths, dtype),
    ((1, 1, 1, group.known),),
  )
  features = 2 * width + (2 * size if k else 0)
  taps, density = neighbours.CHECKERBOARD_TAPS, gaussian.by_scale()
  refinement = Net(
    f"refinement{k}",
    networks.Refinement(size, width, dtype),
    (
      (1, 1, 1, features),
      (1, 1, 1, len(taps), size),
      jax.ShapeDtypeStruct((1, 1), jnp.int32),
    ),
  )

  def predict(params: Params, context: Context, grid: Grid) -> Array:
    if k == 0:
      return context["hyper"]
    known = summary(params, context["y"])
    return jnp.concatenate([known, context["hyper"]], -1)

  def refine(params: Params, features, near, groups) -> Prediction:
    numbers = refinement(params, features, near, groups)
    return read_scale_and_mean(numbers)

  init = together((refinement.init, summary.init)[: 2 if k else 1])
  order = Order(neighbours.checkerboard, taps, refine)
  return code(group, quantizer, density, predict, init, order=order)
