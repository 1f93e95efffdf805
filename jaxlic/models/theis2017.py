"""The compressive autoencoder, its mixture variant, and scales that retarget.

    analysis   normalize conv5/2 conv5/2 3 residual blocks conv5/2   y, stride 8
    synthesis  conv3 up  3 residual blocks  conv3 up  conv3 up  denormalize clip

"up" moves channels into 2x2 pixels. Convolutions of the analysis are valid ones
of the mirrored image, those of the synthesis are padded with zeros. Every
channel of y has one learned density, a mixture of zero-mean Gaussians; of the
variant, of Gaussians, and nothing is mirrored.

Channels may open one after another in training: those of y are multiplied by
`params["mask"]["open"]` [c], ones and zeros, see `jaxlic/training/opening.py`.
A closed channel costs what 0 does, whatever the image: trained with the bound,
1/4 bit per position there, and 1/8 in files.

One trained network serves other rates by scales: `round(scale * y) / scale`,
a scale per channel and level, interpolated between levels. Only they are
trained then. Scales of 1 are the model without.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, sections 2 and 3.1; the widths of the layers are those
  of its public reimplementations. It does not say, and so may differ in: the
  slope of the rectifiers, the number of Gaussians, whether blocks are valid
  convolutions too (here they are, unless the padding is "strided"), whether a
  coefficient of the mask is a channel, and the unit of the distortion's
  weight, hence LAMBDAS. Differs in tables made from
  the density, where the paper counts symbols, and in the density of scaled
  latents, which is scaled with them unless `follow` is off, as in eq. 9.
"""

from collections.abc import Iterable
from typing import Annotated

from jaxlic.densities import channel_mixtures, channelwise, factorized
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import options, precision
from jaxlic.models.parts.masked import masked
from jaxlic.models.parts.net import Net
from jaxlic.models.parts.published import check_quality
from jaxlic.models.parts.scaled import SCALES, predict_level, scaled
from jaxlic.models.parts.skeleton import without_hyper
from jaxlic.models.parts.stages import absorb_as
from jaxlic.nn.theis_networks import MARGINS, Analysis, Synthesis
from jaxlic.quality import check_lambdas
from jaxlic.quantize import surrogates
from jaxlic.types import Model, ModelSpec, Stage, StageSpec

STRIDE = 8  # pixels per position of y
WIDTH = 128
# The three models of the ensemble: weights of 255^2 * MSE against bits per
# pixel, and channels of y. They have the ratios of the paper's beta, and span
# its rates. Its 64 channels, for low rates, go with a beta of 0.2, the others
# with 0.05 and 0.01: hence it is taken to weigh the rate, although eq. 2 has it
# before the distortion.
LAMBDAS = (0.005, 0.02, 0.1)
LATENTS = (64, 96, 96)
DENSITIES = {
  "scales": channel_mixtures.scale_mixture,
  "mixture": channel_mixtures.gaussian_mixture,
  "factorized": lambda components: factorized.FAMILY,
}


def make(
  *,
  quality: Annotated[int, options.whole(1, len(LAMBDAS))] = 2,
  width: Annotated[int, options.whole(2)] = WIDTH,
  latent: options.CountOrNone = None,
  lambdas: options.Weights = (),
  follow: options.Flag = True,
  density: Annotated[str, options.one_of(*DENSITIES)] = "scales",
  components: options.Count = 6,
  padding: Annotated[str, options.one_of(*MARGINS)] = "mirror",
  surrogate: options.Surrogate = "straight",
  rated: Annotated[str, options.one_of(*surrogates.RATES)] = "bound",
  open_at_first: options.CountOrNo = 0,
  dtype: options.Precision = "float32",
  name: options.Word = "theis2017",
) -> Model:
  """Returns the compressive autoencoder of a published quality.

  Args:
    quality: 1 (fewest bits) to 3: the weight of the distortion, and y's width.
    width: Channels of the residual blocks; the first layer has half as many.
    latent: Channels of y, instead of the quality's.
    lambdas: The weight of the distortion at each level of the scales, which
      ascend; (): no scales, and one rate. Scales begin at 1; to train only
      them, start from a codec without, with optimizer.only = ("log_scale",).
    follow: Whether the density is scaled with what it rates.
    density: Of every channel: "scales", a mixture of zero-mean Gaussians;
      "mixture", one of Gaussians; or "factorized", see densities/factorized.py.
    components: Gaussians of a mixture.
    padding: "mirror"; "strided", where blocks are padded with zeros and the
      image less mirrored; or "zero", where nothing is mirrored.
    surrogate: What stands for rounding in training, "straight" or "stochastic";
      with the exact rate, any of quantize/surrogates.py.
    rated: The rate of training, "bound" or "exact"; files have the exact one.
    open_at_first: Channels of y that are open before training opens more; 0:
      all, and there is no mask.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If an option has a value that is not listed, a mixture has no
      component, lambdas do not ascend, or the mask has no such channels.
  """
  check_quality(quality, len(LAMBDAS), "Theis 2017")
  latent = LATENTS[quality - 1] if latent is None else latent
  _check("a density", density, DENSITIES)
  _check("a padding", padding, MARGINS)
  if lambdas:
    check_lambdas("a scaled model", lambdas)
  dtype, family = precision.checked(dtype), DENSITIES[density](components)
  spec = ModelSpec(
    name,
    STRIDE,
    levels=len(lambdas),
    lambdas=tuple(lambdas) or (LAMBDAS[quality - 1],),
  )
  bound = rated == "bound"
  rate = channelwise.make("y_density", family, bound=bound)
  if lambdas and follow:
    rate = channelwise.make_scaled("y_density", family, SCALES, bound=bound)
  stage = Stage(
    StageSpec("y", STRIDE, latent),
    surrogates.make_rated(surrogate, rated),
    rate,
    predict_level(latent),
    absorb_as("y"),
  )
  analysis = Analysis(width, latent, padding, dtype)
  model = without_hyper(
    spec,
    Net("analysis", analysis, ((1, STRIDE, STRIDE, 3),)),
    Net("synthesis", Synthesis(width, dtype), ((1, 1, 1, latent),)),
    stage,
    family,
  )
  model = masked(model, open_at_first) if open_at_first else model
  return scaled(model) if lambdas else model


def _check(name: str, value: str, known: Iterable[str]) -> None:
  if value not in known:
    raise JaxlicError(
      f"{name} is one of {', '.join(known)}, got {value!r}; choose one of them"
    )
