"""The end-to-end optimized model: three stages down, and a factorized prior.

    analysis   conv9/4 GDN conv5/2 GDN conv5/2 GDN                y at stride 16
    synthesis  the mirror image, transposed, with inverse GDN

All have one width, and every channel of y a density of its own. Each quality
from 1 to 8 is a model of its own, with a weight of CompressAI's, for those of
the paper are of its own scale.

Grey models see the mean of R, G and B, and decode three equal channels: of all
grey pictures the mean has the least squared error in RGB, so that the loss is
that of one channel, plus what colour costs whatever the weights are.

References:
  Balle, Laparra, Simoncelli, "End-to-end optimized image compression", 2017.
  Differs in the density, a piecewise linear function there, and here the
  factorized one of Balle et al., "Variational image compression with a scale
  hyperprior", 2018; and in the entropy coder, which is adaptive there.
  "TensorFlow Compression", models/bls2017.py (padding, biases). It leaves out
  the normalization of y and its inverse, which is an option here.
"""

from jaxlic.densities import factorized
from jaxlic.models.parts import normalization, options, precision
from jaxlic.models.parts.net import Net
from jaxlic.models.parts.published import (
  LAMBDAS,
  STRIDE,
  check_quality,
  model_spec,
)
from jaxlic.models.parts.skeleton import without_hyper
from jaxlic.models.parts.stages import absorb_as, factorized_stage
from jaxlic.nn.balle_networks import Analysis, Synthesis
from jaxlic.quantize import surrogates
from jaxlic.types import Model, StageSpec

WIDTH = 192
# Of grey models: but for the two largest weights of the distortion, and there.
GREY_WIDTH, GREY_WIDE, GREY_WIDE_FROM = 128, 256, 7


def make(
  *,
  quality: options.Published = 4,
  width: options.CountOrNone = None,
  norm: options.Norm = "sqrt",
  normalize_latent: options.Flag = True,
  grey: options.Flag = False,
  surrogate: options.Surrogate = "noise",
  dtype: options.Precision = "float32",
  name: options.Word = "balle2017",
) -> Model:
  """Returns the end-to-end optimized model of a quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion.
    width: Channels inside the transforms and of y; None: the paper's.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py; "square" is the seminar's.
    normalize_latent: Whether y is normalized, too, and its inverse undoes it.
    grey: Whether pictures are coded as their grey.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, norm, surrogate or dtype.
  """
  check_quality(quality, len(LAMBDAS), "CompressAI")
  width = _width(quality, grey) if width is None else width
  dtype, form = precision.checked(dtype), normalization.form(norm)
  analysis = Analysis(width, form, normalize_latent, grey, dtype)
  synthesis = Synthesis(width, form, normalize_latent, grey, dtype)
  quantizer, spec = surrogates.make(surrogate), StageSpec("y", STRIDE, width)
  return without_hyper(
    model_spec(name, quality),
    Net("analysis", analysis, ((1, STRIDE, STRIDE, 3),)),
    Net("synthesis", synthesis, ((1, 1, 1, width),)),
    factorized_stage(spec, quantizer, absorb_as("y")),
    factorized.FAMILY,
  )


def _width(quality: int, grey: bool) -> int:
  """The paper's channels."""
  if not grey:
    return WIDTH
  return GREY_WIDE if quality >= GREY_WIDE_FROM else GREY_WIDTH
