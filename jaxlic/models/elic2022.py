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

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jaxlic.entropy import factorized, gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018, mbt2018
from jaxlic.models.parts import context, precision
from jaxlic.nn import convolutions, neighbours
from jaxlic.nn.attention import Attention, Bottleneck
from jaxlic.quantize import surrogates
from jaxlic.types import Model, Order, Prediction, Stage, StageSpec

WIDTH, LATENT = 192, 320
GROUPS = (16, 16, 32, 64)  # channels of the first groups; the last has the rest
BLOCKS = 3  # bottlenecks at each size
CONTEXT_WIDTHS = (224, 128)
AGGREGATION_LAYERS = 3
# The latter makes `2 * width` channels for the aggregations.
HyperAnalysis = functools.partial(mbt2018.HyperAnalysis, activation=nn.relu)
HyperSynthesis = functools.partial(mbt2018.HyperSynthesis, activation=nn.relu)


def make(
  *,
  quality: int = 4,
  width: int = WIDTH,
  latent: int = LATENT,
  groups: tuple[int, ...] = GROUPS,
  context_widths: tuple[int, int] = CONTEXT_WIDTHS,
  surrogate: str = "mixed",
  dtype: str = "float32",
  name: str = "elic2022",
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
  bmshj2018.published_widths(quality, width, latent, 1)
  if not groups or min(*groups, latent - sum(groups)) < 1:
    raise JaxlicError(
      f"y has a group of channels or more besides the last, which has the rest "
      f"of its {latent}, got {groups}; give other groups"
    )
  dtype = precision.checked(dtype)
  sizes = (*groups, latent - sum(groups))
  analysis = Analysis(width, latent, dtype)
  synthesis = Synthesis(width, dtype)
  hyper_analysis = HyperAnalysis(width, dtype)
  hyper_synthesis = HyperSynthesis(width, dtype)
  quantizer = surrogates.make(surrogate)
  coded = [
    _group(k, sizes, width, context_widths, quantizer, dtype)
    for k in range(len(sizes))
  ]

  def init(key: Array) -> dict:
    keys = jax.random.split(key, 5 + len(sizes))
    image = jnp.zeros((1, bmshj2018.STRIDE, bmshj2018.STRIDE, 3))
    y, z = jnp.zeros((1, 1, 1, latent)), jnp.zeros((1, 1, 1, width))
    params = {
      "analysis": analysis.init(keys[0], image),
      "synthesis": synthesis.init(keys[1], y),
      "hyper_analysis": hyper_analysis.init(keys[2], y),
      "hyper_synthesis": hyper_synthesis.init(keys[3], z, (1, 1)),
      "z_density": factorized.init(keys[4], width),
    }
    for group_key, (group_init, _) in zip(keys[5:], coded, strict=True):
      params |= group_init(group_key)
    return params

  def analyze(params: dict, image: Float[Array, "b H W 3"], rate) -> Array:
    return analysis.apply(params["analysis"], image)

  def latents(params: dict, y: Float[Array, "b h w c"], rate) -> dict:
    parts = jnp.split(y, list(itertools.accumulate(groups)), -1)
    z = hyper_analysis.apply(params["hyper_analysis"], y)
    return {"z": z} | {f"y{k}": part for k, part in enumerate(parts)}

  def absorb_z(params: dict, known: dict, z_hat, grid) -> dict:
    hyper = hyper_synthesis.apply(params["hyper_synthesis"], z_hat, grid)
    return known | {"hyper": hyper, "y": hyper[..., :0]}

  def synthesize(params: dict, known: dict) -> Float[Array, "b H W 3"]:
    return synthesis.apply(params["synthesis"], known["y"])

  z_stage = bmshj2018.factorized_stage(
    "z", width, quantizer, absorb_z, bmshj2018.HYPER_STRIDE
  )
  stages = (z_stage, *(stage for _, stage in coded))
  spec = bmshj2018.model_spec(name, quality)
  return Model(spec, init, analyze, latents, stages, synthesize)


def _group(k, sizes, width, context_widths, quantizer, dtype):
  """The `init` and the stage of the k-th group of channels."""
  size, before = sizes[k], sum(sizes[:k])
  channels = ChannelContext(2 * size, context_widths, dtype)
  refinement = Refinement(size, width, dtype)
  here, around = f"channel_context{k}", f"refinement{k}"

  def init(key: Array) -> dict:
    keys = jax.random.split(key)
    known = jnp.zeros((1, 1, 1, before))
    features = jnp.zeros((1, 1, 1, 2 * width + (2 * size if k else 0)))
    near = jnp.zeros((1, 1, 1, len(neighbours.CHECKERBOARD_TAPS), size))
    first = jnp.zeros((1, 1), jnp.int32)
    params = {around: refinement.init(keys[0], features, near, first)}
    return params | ({here: channels.init(keys[1], known)} if k else {})

  def predict(params: dict, known: dict, grid) -> Float[Array, "b h w f"]:
    if k == 0:
      return known["hyper"]
    summary = channels.apply(params[here], known["y"])
    return jnp.concatenate([summary, known["hyper"]], -1)

  def refine(params: dict, features, near, groups) -> Prediction:
    numbers = refinement.apply(params[around], features, near, groups)
    return mbt2018.read_scale_and_mean(numbers)

  def absorb(params: dict, known: dict, y_hat, grid) -> dict:
    return known | {"y": jnp.concatenate([known["y"], y_hat], -1)}

  order = Order(neighbours.checkerboard, neighbours.CHECKERBOARD_TAPS, refine)
  spec = StageSpec(f"y{k}", bmshj2018.STRIDE, size)
  density = gaussian.by_scale()
  return init, Stage(spec, quantizer, density, predict, absorb, order)


class Analysis(nn.Module):
  """From the image to y, at stride 16.

  What makes y itself, the last convolution and the attention after it, computes
  in float32.
  """

  width: int = 192
  latent: int = 320
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    for k in range(3):
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention0")(x)
    x = convolutions.conv(self.latent, 5, 2, name="conv3")(x)
    return Attention(name="attention1")(x)


class Synthesis(nn.Module):
  """From y to the image."""

  width: int = 192
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    x = Attention(self.dtype, name="attention0")(x)
    for k in range(3):
      x = up_conv(self.width, name=f"conv{k}")(x)
      if k == 1:
        x = Attention(self.dtype, name="attention1")(x)
      for block in range(k * BLOCKS, (k + 1) * BLOCKS):
        x = Bottleneck(self.width, self.dtype, name=f"block{block}")(x)
    return convolutions.UpConv(3, name="conv3")(x)


class ChannelContext(nn.Module):
  """From all groups of channels before to `features` for the next one."""

  features: int
  widths: tuple[int, ...] = CONTEXT_WIDTHS
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x = known
    for k, width in enumerate(self.widths):
      x = nn.relu(
        convolutions.conv(width, 5, dtype=self.dtype, name=f"conv{k}")(x)
      )
    return convolutions.conv(self.features, 5, name=f"conv{len(self.widths)}")(
      x
    )


class ParameterAggregation(nn.Module):
  """From all that is known of a position to `features` of its distribution.

  1x1 convolutions, so that positions can be computed one by one. The inner
  widths lie on a line from the width of the input to `features`, but are at
  least `least`, twice the width of the transforms.
  """

  features: int
  least: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x, last = known, AGGREGATION_LAYERS - 1
    for k in range(last):
      width = self.inner_width(known.shape[-1], k + 1)
      x = nn.relu(
        convolutions.conv(width, 1, dtype=self.dtype, name=f"conv{k}")(x)
      )
    return convolutions.conv(self.features, 1, name=f"conv{last}")(x)

  def inner_width(self, inputs: int, layer: int) -> int:
    """Returns the channels between a layer, counted from 1, and the next."""
    left = AGGREGATION_LAYERS - layer
    line = (left * inputs + layer * self.features) // AGGREGATION_LAYERS
    return max(line, self.least)


class Refinement(nn.Module):
  """From features and neighbours to scales and means of a group."""

  latent: int
  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: Float[Array, "b h w f"],
    around: Float[Array, "b h w t c"],
    groups: Int[Array, "h w"],
  ) -> Float[Array, "b h w o"]:
    near = neighbours.MaskedConv(
      2 * self.latent, neighbours.CHECKERBOARD_TAPS, self.dtype, name="masked"
    )(around)
    near = context.unless_first(near, groups)
    x = jnp.concatenate([near, features.astype(near.dtype)], -1)
    return ParameterAggregation(
      2 * self.latent, 2 * self.width, self.dtype, name="aggregation"
    )(x)
