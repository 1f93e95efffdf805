"""The factorized-prior model, and the hyperprior that predicts scales.

    analysis   conv5/2 GDN conv5/2 GDN conv5/2 GDN conv5/2        y at stride 16
    synthesis  the mirror image, transposed, with inverse GDN

The factorized model codes y with one learned density per channel; a variant of
it has ReLUs in place of the normalization. The hyperprior codes a second latent
z, from |y|, at stride 64; from z both sides predict the standard deviation of
every y, a zero-mean Gaussian.

Each quality from 1 to 8 is a model of its own, with the widths and the weight
of the distortion under which CompressAI publishes weights. Images in [0, 1]
enter the analysis as they are.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018. Differs in the latent z of images whose sides are no
  multiples of 64: it covers the padded image, and what the hyper synthesis
  makes beyond y's grid is cut off.
  Begaint et al., "CompressAI", 2020, models/google.py (layers and widths).
"""

import jax.numpy as jnp

from jaxlic.densities import factorized, gaussian
from jaxlic.models.parts import normalization, options, precision
from jaxlic.models.parts.net import Net
from jaxlic.models.parts.published import STRIDE, model_spec, published_widths
from jaxlic.models.parts.skeleton import (
  code_whole,
  hyperprior,
  transforms,
  without_hyper,
)
from jaxlic.models.parts.stages import absorb_as, factorized_stage
from jaxlic.nn import gdn_networks as networks
from jaxlic.quantize import surrogates
from jaxlic.types import Context, Grid, Model, Params, Prediction, StageSpec

WIDE_FROM = 6  # the first quality of the wide networks


def make_factorized(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  norm: options.NormOrNone = "sqrt",
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "bmshj2018-factorized",
) -> Model:
  """Returns the factorized-prior model of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion, and the widths.
    width: Channels inside the transforms, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py; None: ReLUs.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, norm, surrogate or dtype.
  """
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype = precision.checked(dtype)
  form = None if norm is None else normalization.form(norm)
  analysis = networks.Analysis(width, latent, form, dtype)
  synthesis = networks.Synthesis(width, form, dtype)
  quantizer, spec = surrogates.make(surrogate), StageSpec("y", STRIDE, latent)
  return without_hyper(
    model_spec(name, quality),
    Net("analysis", analysis, ((1, STRIDE, STRIDE, 3),)),
    Net("synthesis", synthesis, ((1, 1, 1, latent),)),
    factorized_stage(spec, quantizer, absorb_as("y")),
    factorized.FAMILY,
  )


def make_factorized_relu(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "bmshj2018-factorized-relu",
) -> Model:
  """Returns the factorized-prior model with ReLUs, of a published quality.

  Arguments and errors are those of `make_factorized`, without a norm.
  """
  return make_factorized(
    quality=quality,
    width=width,
    latent=latent,
    norm=None,
    surrogate=surrogate,
    dtype=dtype,
    name=name,
  )


def make_hyperprior(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  norm: options.Norm = "sqrt",
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "bmshj2018-hyperprior",
) -> Model:
  """Returns the scale hyperprior of a published quality.

  Arguments and errors are those of `make_factorized`; z has `width` channels.
  """
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype, form = precision.checked(dtype), normalization.form(norm)

  def predict(params: Params, context: Context, grid: Grid) -> Prediction:
    scale = context["hyper"]
    return Prediction(mean=jnp.zeros_like(scale), scale=scale)

  quantizer = surrogates.make(surrogate)
  return hyperprior(
    model_spec(name, quality),
    transforms(
      networks.Analysis(width, latent, form, dtype),
      networks.Synthesis(width, form, dtype),
      networks.ScaleHyperAnalysis(width, dtype),
      networks.ScaleHyperSynthesis(width, latent, dtype),
      latent=latent,
      hyper_latent=width,
    ),
    quantizer,
    [code_whole(latent, quantizer, gaussian.by_scale(), predict)],
  )
