"""Cheng 2020: residual blocks, a context model, with and without attention.

    analysis         Down Block Down [A] Block Down Block conv3/2 [A]
    synthesis        [A] Block Up Block Up [A] Block Up Block subpixel3
    hyper analysis   conv3 conv3 conv3/2 conv3 conv3/2
    hyper synthesis  conv3 subpixel3 conv3 subpixel3 conv3

with leaky ReLUs of slope 0.01 between the convolutions of the hyper networks,
and attention, A, in one of the two variants ("attn"; the other is "anchor").
All have one width, but for the second half of the hyper synthesis.

y is predicted jointly by z and by the latents around each position, see
models/parts/context.py: as one Gaussian each, which is CompressAI's form, or as
the paper's mixture of three.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020.
  Begaint et al., "CompressAI", 2020, models/waseda.py (layers and widths).
"""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import gaussian, mixture
from jaxlic.densities.mixture import Mixture
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import context, normalization, options, precision
from jaxlic.models.parts.published import check_quality, model_spec
from jaxlic.models.parts.skeleton import (
  Transforms,
  code_in_order,
  hyperprior,
  transforms,
)
from jaxlic.models.parts.stages import read_scale_and_mean
from jaxlic.nn import cheng_networks
from jaxlic.quantize import rounding, surrogates
from jaxlic.types import Model

QUALITIES = 6
NARROW, WIDE = 128, 192
WIDE_FROM = 4  # the first quality of the wide networks


def make(
  *,
  quality: Annotated[int, options.whole(1, QUALITIES)] = 3,
  width: Annotated[int | None, options.unless_none(options.whole(2))] = None,
  attention: options.Flag = False,
  components: options.Count = 1,
  order: options.Order = "raster",
  norm: options.Norm = "sqrt",
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "cheng2020-anchor",
) -> Model:
  """Returns the model of a published quality.

  Args:
    quality: 1 (fewest bits) to 6: the weight of the distortion, and the width.
    width: Channels of everything, instead of the quality's.
    attention: Whether the transforms have attention blocks.
    components: Of the mixture of Gaussians that predicts a latent: 1, or the
      paper's 3.
    order: "raster", or "checkerboard" (He 2021); see models/parts/context.py.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, order, norm, surrogate or dtype,
      or no component.
  """
  if components < 1:
    raise JaxlicError(
      f"a mixture has 1 component or more, got {components}; choose 1 or 3"
    )
  check_quality(quality, QUALITIES, "Cheng 2020")
  published = WIDE if quality >= WIDE_FROM else NARROW
  width = published if width is None else width
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  # A mixture's symbols are rounded latents, a Gaussian's differ by its mean.
  mixed = components > 1
  model = context.make(
    order,
    latent=width,
    outputs=(3 * components if mixed else 2) * width,
    read=(
      functools.partial(read_mixture, components)
      if mixed
      else read_scale_and_mean
    ),
    dtype=dtype,
  )
  y_quantizer = rounding.plain(quantizer) if mixed else quantizer
  density = mixture.make() if mixed else gaussian.by_scale()
  return hyperprior(
    model_spec(name, quality),
    networks(width, attention, norm, dtype),
    quantizer,
    [code_in_order(width, y_quantizer, density, model)],
  )


def networks(
  width: int, attention: bool, norm: str | Mapping[str, Any], dtype: str
) -> Transforms:
  """Returns the transforms of images and of y, all of one width."""
  form = normalization.form(norm)
  return transforms(
    cheng_networks.Analysis(width, attention, dtype, form),
    cheng_networks.Synthesis(width, attention, dtype, form),
    cheng_networks.HyperAnalysis(width, dtype),
    cheng_networks.HyperSynthesis(width, dtype),
    latent=width,
    hyper_latent=width,
  )


def read_mixture(components: int, numbers: Float[Array, "b h w n"]) -> Mixture:
  """Returns the prediction of a mixture: logits, means, then scales.

  Each third holds the components of the first channel, then of the next.
  """
  thirds = numbers.reshape(*numbers.shape[:3], 3, -1, components)
  logits, mean, scale = jnp.moveaxis(thirds, 3, 0)
  return Mixture(mean=mean, scale=scale, logits=logits)
