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

from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import (
  channel_groups,
  normalization,
  options,
  precision,
)
from jaxlic.models.parts.channel_groups import ChannelGroup
from jaxlic.models.parts.net import Both, Net
from jaxlic.models.parts.published import STRIDE, model_spec, published_widths
from jaxlic.models.parts.skeleton import Coded, code, hyperprior, transforms
from jaxlic.nn import gdn_networks
from jaxlic.nn import slice_networks as networks
from jaxlic.quantize import surrogates
from jaxlic.types import Context, Grid, Model, Params, Prediction, Quantizer

SLICES, SUPPORT = 10, 5
HYPER_WIDTHS, SLICE_WIDTHS = (192, 256, 320), (224, 128)
KINDS = ("mean", "scale", "residual")  # slice transforms of each slice


def make(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  slices: options.Count = SLICES,
  support: options.CountOrNo = SUPPORT,
  hyper_widths: Annotated[tuple[int, ...], options.wholes(1, 3)] = HYPER_WIDTHS,
  slice_widths: options.Counts = SLICE_WIDTHS,
  norm: options.Norm = "sqrt",
  surrogate: options.Surrogate = "mixed",
  dtype: options.Precision = "float32",
  name: options.Word = "ms2020",
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
    slice_widths: Channels of the 5x5 layers of a slice transform.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, norm, surrogate or dtype, slices
      are not equal, or support is negative.
  """
  width, latent = published_widths(quality, width, latent, 1)
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
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  size, form = latent // slices, normalization.form(norm)
  transform = networks.SliceTransform(slice_widths, size, dtype)
  nets = transforms(
    gdn_networks.Analysis(width, latent, form, dtype),
    gdn_networks.Synthesis(width, form, dtype),
    networks.HyperAnalysis(hyper_widths[::-1], dtype),
    networks.HyperSynthesis(hyper_widths, dtype),
    latent=latent,
    hyper_latent=hyper_widths[0],
  )
  for_means, for_scales = (
    nets.hyper_synthesis._replace(name=f"hyper_{kind}") for kind in KINDS[:2]
  )
  groups = channel_groups.split((size,) * slices, two_pass=0, stride=STRIDE)
  return hyperprior(
    model_spec(name, quality),
    nets._replace(hyper_synthesis=Both(for_means, for_scales)),
    quantizer,
    [
      _code(group, transform, hyper_widths[-1], support * size, quantizer)
      for group in groups
    ],
  )


def _code(
  group: ChannelGroup,
  transform: networks.SliceTransform,
  hyper: int,
  support: int,
  quantizer: Quantizer,
) -> Coded:
  """How a slice is coded, given the first `support` channels at most."""
  size, seen = group.stop - group.start, hyper + min(group.known, support)
  mean, scale, residual = (
    Net(f"{kind}_{group.name}", transform, ((1, 1, 1, channels),))
    for kind, channels in zip(KINDS, (seen, seen, seen + size), strict=True)
  )

  def predict(params: Params, context: Context, grid: Grid) -> Prediction:
    for_means, for_scales = jnp.split(context["hyper"], 2, -1)
    known = context["y"][..., :support]
    return Prediction(
      mean=mean(params, _join(for_means, known)),
      scale=scale(params, _join(for_scales, known)),
    )

  def absorb(params: Params, context: Context, y_hat, grid: Grid) -> Context:
    for_means, _ = jnp.split(context["hyper"], 2, -1)
    known = _join(for_means, context["y"][..., :support], y_hat)
    y_hat = y_hat + 0.5 * jnp.tanh(residual(params, known))
    return context | {"y": _join(context["y"], y_hat)}

  inits, density = (mean.init, scale.init, residual.init), gaussian.by_index()
  return code(group, quantizer, density, predict, *inits, absorb=absorb)


def _join(*maps: Float[Array, "b h w _"]) -> Float[Array, "b h w d"]:
  return jnp.concatenate(maps, -1)
