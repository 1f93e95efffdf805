"""The channel-conditional model: slices of y predict the slices after them.

    hyper analysis   conv3 conv5/2 conv5/2    320, 256, 192 channels: z
    hyper synthesis  up5 up5 conv3            192, 256, 320 channels, twice
    slice transform  conv5 conv5 conv3        224, 128, 32 channels

The transforms of images are those of bmshj2018. One hyper synthesis feeds the
predictions of means, the other those of scales; ReLUs follow all their layers,
for a slice transform has the last word. y is coded in ten slices of its
channels. From the hyper synthesis and the first five slices at most, slice
transforms predict a slice's mean and scale, and once it is decoded a third adds
`tanh(...) / 2`, its guess of the rounding error (latent residual prediction).

Scales are positions on the Gaussian's ladder, linear in the network's output.

References:
  Minnen, Singh, "Channel-wise autoregressive entropy models for learned image
  compression", 2020.
  tensorflow/compression, models/ms2020.py (layers and widths, ladder positions;
  no bias in the layer that makes z). Differs in the GDN, where "simplified" is
  its form, and in what the hyper syntheses make beyond y's grid, which is cut
  off before the slice transforms see it.
"""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.entropy import factorized, gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018
from jaxlic.models.bmshj2018 import HYPER_STRIDE, STRIDE
from jaxlic.models.parts import precision
from jaxlic.models.parts.channel_groups import Part, split
from jaxlic.nn import convolutions
from jaxlic.quantize import surrogates
from jaxlic.types import Model, Prediction, Stage

SLICES, SUPPORT = 10, 5
HYPER_WIDTHS = (192, 256, 320)
SLICE_WIDTHS = (224, 128)


def make(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  slices: int = SLICES,
  support: int = SUPPORT,
  hyper_widths: tuple[int, ...] = HYPER_WIDTHS,
  slice_widths: tuple[int, ...] = SLICE_WIDTHS,
  norm: str = "sqrt",
  surrogate: str = "mixed",
  dtype: str = "float32",
  name: str = "ms2020",
) -> Model:
  """Returns the channel-conditional model, weighted as a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion. All have the
      same widths.
    width: Channels inside the transforms, instead of 192.
    latent: Channels of y, instead of 320.
    slices: Into how many slices of equal size they are divided.
    support: How many slices, the first ones, a prediction sees at most.
    hyper_widths: Channels of z, and of the hyper transforms from z up.
    slice_widths: Channels inside the two 5x5 layers of a slice transform.
    norm: The form of the divisive normalization, see nn/gdn.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, surrogate or dtype, the slices are
      not equal, or support is negative.
  """
  width, latent = bmshj2018.published_widths(quality, width, latent, 1)
  if slices < 1 or latent % slices:
    raise JaxlicError(
      f"y is divided into equal slices, got {latent} channels and {slices} "
      "slices; choose a latent that is a multiple of slices"
    )
  if support < 0:
    raise JaxlicError(
      f"support counts slices, got {support}; {slices} lets every slice see "
      "all before it"
    )
  dtype, size = precision.checked(dtype), latent // slices
  net = _Networks(
    parts=tuple(split((size,) * slices, two_pass=0, stride=STRIDE)),
    support=support * size,
    analysis=bmshj2018.Analysis(width, latent, norm, dtype),
    synthesis=bmshj2018.Synthesis(width, norm, dtype),
    hyper_analysis=HyperAnalysis(hyper_widths[::-1], dtype),
    hyper_synthesis=HyperSynthesis(hyper_widths, dtype),
    slice_transform=SliceTransform(slice_widths, size, dtype),
  )
  quantizer = surrogates.make(surrogate)
  z_stage = bmshj2018.factorized_stage(
    "z",
    hyper_widths[0],
    quantizer,
    functools.partial(_absorb_z, net),
    HYPER_STRIDE,
  )
  y_stages = [
    Stage(
      part.spec(),
      quantizer,
      gaussian.by_index(),
      functools.partial(_predict_y, net, part),
      functools.partial(_absorb_y, net, part),
    )
    for part in net.parts
  ]
  return Model(
    bmshj2018.model_spec(name, quality),
    functools.partial(_init, net),
    functools.partial(_analyze, net),
    functools.partial(_latents, net),
    (z_stage, *y_stages),
    functools.partial(_synthesize, net),
  )


@dataclasses.dataclass(frozen=True)
class _Networks:
  """The model's layers, and the slices of its latent."""

  parts: tuple[Part, ...]
  support: int  # channels of y, the first ones, that predictions see at most
  analysis: nn.Module
  synthesis: nn.Module
  hyper_analysis: nn.Module
  hyper_synthesis: nn.Module  # with parameters for means, and for scales
  slice_transform: nn.Module  # with three sets of parameters per slice


def _init(net: _Networks, key: Array) -> dict:
  keys = iter(jax.random.split(key, 6 + 3 * len(net.parts)))
  channels, hyper_channels = net.parts[-1].stop, net.hyper_synthesis.widths[0]
  image = jnp.zeros((1, STRIDE, STRIDE, 3))
  y = jnp.zeros((1, 1, 1, channels))
  z = jnp.zeros((1, 1, 1, hyper_channels))
  params = {
    "analysis": net.analysis.init(next(keys), image),
    "synthesis": net.synthesis.init(next(keys), y),
    "hyper_analysis": net.hyper_analysis.init(next(keys), y),
    "hyper_mean": net.hyper_synthesis.init(next(keys), z, (1, 1)),
    "hyper_scale": net.hyper_synthesis.init(next(keys), z, (1, 1)),
    "z_density": factorized.init(next(keys), hyper_channels),
  }
  hyper = jnp.zeros((1, 1, 1, net.hyper_synthesis.widths[-1]))
  for part in net.parts:
    known = _join(hyper, y[..., : min(part.known, net.support)])
    seen = {
      "mean": known,
      "scale": known,
      "residual": _join(known, part.take(y)),
    }
    for kind, inputs in seen.items():
      params[f"{kind}_{part.name}"] = net.slice_transform.init(
        next(keys), inputs
      )
  return params


def _analyze(
  net: _Networks, params: dict, image: Float[Array, "b H W 3"], rate
) -> Float[Array, "b h w c"]:
  return net.analysis.apply(params["analysis"], image)


def _latents(
  net: _Networks, params: dict, y: Float[Array, "b h w c"], rate
) -> dict:
  z = net.hyper_analysis.apply(params["hyper_analysis"], y)
  return {"z": z} | {part.name: part.take(y) for part in net.parts}


def _absorb_z(net: _Networks, params: dict, context: dict, z_hat, grid) -> dict:
  mean = net.hyper_synthesis.apply(params["hyper_mean"], z_hat, grid)
  scale = net.hyper_synthesis.apply(params["hyper_scale"], z_hat, grid)
  return context | {"mean": mean, "scale": scale, "y": mean[..., :0]}


def _predict_y(
  net: _Networks, part: Part, params: dict, context: dict, grid
) -> Prediction:
  known = context["y"][..., : net.support]

  def predict(kind):
    return net.slice_transform.apply(
      params[f"{kind}_{part.name}"], _join(context[kind], known)
    )

  return Prediction(mean=predict("mean"), scale=predict("scale"))


def _absorb_y(
  net: _Networks, part: Part, params: dict, context: dict, y_hat, grid
) -> dict:
  known = context["y"][..., : net.support]
  residual = net.slice_transform.apply(
    params[f"residual_{part.name}"], _join(context["mean"], known, y_hat)
  )
  y_hat = y_hat + 0.5 * jnp.tanh(residual)
  return context | {"y": _join(context["y"], y_hat)}


def _synthesize(
  net: _Networks, params: dict, context: dict
) -> Float[Array, "b H W 3"]:
  return net.synthesis.apply(params["synthesis"], context["y"])


def _join(*maps: Float[Array, "b h w _"]) -> Float[Array, "b h w d"]:
  return jnp.concatenate(maps, -1)


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  widths: tuple[int, ...]  # of three layers; the last is z's
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    first, second, last = self.widths
    x = nn.relu(conv(first, 3, name="conv0")(y))
    x = nn.relu(conv(second, 5, 2, name="conv1")(x))
    return convolutions.conv(last, 5, 2, use_bias=False, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to what slice transforms see beside the slices, on y's grid."""

  widths: tuple[int, ...]  # of three layers; the first is z's, too
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    first, second, last = self.widths
    x = nn.relu(up_conv(first, name="conv0")(z))
    x = nn.relu(up_conv(second, name="conv1")(x))
    x = nn.relu(convolutions.conv(last, 3, name="conv2")(x))
    return x[:, : grid[0], : grid[1]]


class SliceTransform(nn.Module):
  """From all that is known to one number for every latent of a slice."""

  widths: tuple[int, ...]
  features: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = known
    for k, width in enumerate(self.widths):
      x = nn.relu(conv(width, 5, name=f"conv{k}")(x))
    return convolutions.conv(self.features, 3, name=f"conv{len(self.widths)}")(
      x
    )
