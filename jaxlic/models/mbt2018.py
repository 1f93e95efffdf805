"""The mean-scale hyperprior, and its joint autoregressive form.

z predicts the mean and the scale of every y; jointly with the latents around it
that are decoded before, by models/parts/context.py.

The transforms are those of bmshj2018. The hyper transforms see y itself, use
leaky ReLUs, and the hyper synthesis is wider, with two numbers per latent.

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018 (the mean-scale hyperprior is this model
  without its autoregression).
  Begaint et al., "CompressAI", 2020, models/google.py (layers and widths).
"""

from collections.abc import Mapping
from typing import Any

from jaxlic.densities import gaussian
from jaxlic.models.parts import context, normalization, options, precision
from jaxlic.models.parts.published import model_spec, published_widths
from jaxlic.models.parts.skeleton import (
  Transforms,
  code_in_order,
  code_whole,
  hyperprior,
  transforms,
)
from jaxlic.models.parts.stages import predict_by_hyper, read_scale_and_mean
from jaxlic.nn import gdn_networks, hyper_networks
from jaxlic.quantize import surrogates
from jaxlic.types import Model

WIDE_FROM = 5  # the first quality of the wide networks
JOINT_WIDTH = 192


def make_mean(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  norm: options.Norm = "sqrt",
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "mbt2018-mean",
) -> Model:
  """Returns the mean-scale hyperprior of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion, and the widths.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, norm, surrogate or dtype.
  """
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  return hyperprior(
    model_spec(name, quality),
    networks(width, latent, norm, dtype),
    quantizer,
    [code_whole(latent, quantizer, gaussian.by_scale(), predict_by_hyper)],
  )


def make_joint(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  norm: options.Norm = "sqrt",
  order: options.Order = "raster",
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "mbt2018",
) -> Model:
  """Returns the joint autoregressive and hierarchical prior.

  Args:
    quality: As in `make_mean`.
    width: As in `make_mean`; 192 for every quality.
    latent: As in `make_mean`.
    norm: As in `make_mean`.
    order: "raster", or "checkerboard" (He 2021); see models/parts/context.py.
    surrogate: As in `make_mean`.
    dtype: As in `make_mean`.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, norm, order, surrogate or dtype.
  """
  width = JOINT_WIDTH if width is None else width
  width, latent = published_widths(quality, width, latent, WIDE_FROM)
  dtype, quantizer = precision.checked(dtype), surrogates.make(surrogate)
  model = joint_context(order, latent, dtype)
  return hyperprior(
    model_spec(name, quality),
    networks(width, latent, norm, dtype),
    quantizer,
    [code_in_order(latent, quantizer, gaussian.by_scale(), model)],
  )


def networks(
  width: int, latent: int, norm: str | Mapping[str, Any], dtype: str
) -> Transforms:
  """Returns the transforms of images and of y."""
  form = normalization.form(norm)
  return transforms(
    gdn_networks.Analysis(width, latent, form, dtype),
    gdn_networks.Synthesis(width, form, dtype),
    hyper_networks.HyperAnalysis(width, dtype),
    hyper_networks.HyperSynthesis(latent, dtype),
    latent=latent,
    hyper_latent=width,
  )


def joint_context(order: str, latent: int, dtype: str) -> context.ContextModel:
  """Returns the context model of one Gaussian for every y."""
  return context.make(
    order,
    latent=latent,
    outputs=2 * latent,
    read=read_scale_and_mean,
    dtype=dtype,
  )
