"""The asymmetric gained model: one network, every rate, its own context.

    analysis   conv3/2 GDN conv3/2 GDN A conv3/2 GDN conv3/2 A    y at stride 16
    synthesis  A up3 IGDN up3 IGDN A up3 IGDN up3, sub-pixel ones
    context    masked conv3, conv5 and conv7 of y side by side, and the hyper
               latent: 8M numbers per position for M channels of y; then 1x1
               convolutions to 20/3 M, 16/3 M, 4 M, 10/3 M and 3 M

with attention A, see nn/attention.py, and the hyper transforms of cheng2020,
whose kernels are 3x3, too. For every y the network gives the mode and the two
scales of an asymmetric Gaussian. Gain units act on y and z, see gained.py. In
training, latents are quantized with a random offset (universal quantization).

Raster order with a window of 7x7 is decoded in waves of equal x + 4 y.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021. Its text names 3x3 kernels, attention,
  192 latents, contexts of three sizes and the density; where it is silent
  (normalization, places of the attention, hyper transforms, slopes) this is
  Minnen 2018 and Cheng 2020. Widths of the context's last layers are those of
  public re-implementations.
"""

import functools
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import asymmetric
from jaxlic.models import gained
from jaxlic.models.parts import (
  context,
  gain_units,
  normalization,
  options,
  precision,
)
from jaxlic.models.parts.published import STRIDE
from jaxlic.models.parts.skeleton import (
  code_in_order,
  hyperprior,
  transforms,
)
from jaxlic.nn import cheng_networks, neighbours
from jaxlic.nn import cui_networks as networks
from jaxlic.quantize import surrogates
from jaxlic.types import Model, ModelSpec, Prediction

WIDTH = 192  # of everything, y and z included


def make(
  *,
  width: Annotated[int, options.whole(2)] = WIDTH,
  lambdas: options.Weights = gained.CUI2021,
  ms_ssim_lambdas: options.Weights = gained.CUI2021_MS_SSIM,
  hyper_input: options.HyperInput = "gained",
  surrogate: options.Surrogate = "universal",
  norm: options.Norm = "sqrt",
  dtype: options.Precision = "float32",
  name: options.Word = "cui2021",
) -> Model:
  """Returns the model.

  Args:
    width: Channels of the transforms, of y and of z.
    lambdas: The weight of the distortion at each level, ascending.
    ms_ssim_lambdas: Likewise, of 1 - MS-SSIM; see gained.py for their unit.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such surrogate, norm, dtype or input of the
      hyper analysis, there are less than two levels, or lambdas do not ascend.
  """
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  form = normalization.form(norm)
  model = context.refined_by(
    networks.Refinement(width, dtype),
    width,
    functools.partial(neighbours.waves, side=max(networks.SIDES)),
    networks.TAPS,
    read_scales_and_mode,
  )
  backbone = hyperprior(
    ModelSpec(name, STRIDE),
    transforms(
      networks.Analysis(width, dtype, form),
      networks.Synthesis(width, dtype, form),
      cheng_networks.HyperAnalysis(width, dtype),
      cheng_networks.HyperSynthesis(width, dtype),
      latent=width,
      hyper_latent=width,
    ),
    quantizer,
    [code_in_order(width, quantizer, asymmetric.by_scale(), model)],
  )
  return gain_units.wrap(
    backbone,
    hyper="z",
    name=name,
    lambdas=lambdas,
    ms_ssim_lambdas=ms_ssim_lambdas,
    hyper_input=hyper_input,
  )


def read_scales_and_mode(numbers: Float[Array, "b h w c"]) -> Prediction:
  """Returns the prediction: left scales first, right ones, then modes."""
  left, right, mode = jnp.split(numbers, 3, -1)
  return Prediction(mean=mode, scale=jnp.stack([left, right], -1))
