"""Gain units around any model of one rate: one set of weights, every rate.

y is multiplied by a gain per channel and level before it is coded, and by a
separately learned inverse gain before the synthesis; so is z ("hyper gains"),
before its rounding and before the hyper synthesis. Means, scales and contexts
are those of the latents as coded, in gained units. Qualities between levels
interpolate all four geometrically, in training, estimate and files alike.

What the hyper analysis sees has two published forms, which are two models:

    "gained"     z = h_a(gain y)   GainedVAE
    "ungained"   z = h_a(y)        CompressAI, `GainHyperpriorLatentCodec`

Level 0 has the lowest rate, as in the paper; GainedVAE counts downwards. Gains
start near the optimum of high rates, where a step is proportional to
lambda^-1/2; those of z, and all in the paper, start at 1.

References:
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021, section 3.
  mmSir, "GainedVAE", 2021 (weights of eight levels, widths). Differs in that
  the estimated rate is that of the quality between levels, that gains are
  interpolated as the paper says, and equally by encoder and decoder.
  Begaint et al., "CompressAI", 2020, latent_codecs/gain/hyperprior.py.
"""

from collections.abc import Callable, Mapping

from jaxlic.errors import JaxlicError
from jaxlic.models.parts import gain_units, options
from jaxlic.types import Model

# Weights of 255^2 * MSE against bits per pixel, lowest rate first.
GAINED_VAE = (0.0003, 0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05)
CUI2021 = (0.0003, 0.001, 0.003, 0.007, 0.03, 0.05)
# Likewise of 1 - MS-SSIM. The paper gives 0.0006 to 0.07 without a unit: as
# weights of 1000 (1 - MS-SSIM) they are of the order of CompressAI's.
CUI2021_MS_SSIM = (0.6, 1.0, 3.0, 7.0, 30.0, 70.0)


def make(
  backbones: Mapping[str, Callable[..., Model]],
  *,
  backbone: options.Word = "mbt2018-mean",
  lambdas: options.Weights = GAINED_VAE,
  ms_ssim_lambdas: options.Weights = (),
  hyper_input: options.HyperInput = "gained",
  name: options.Word = "gained",
  **backbone_options: object,
) -> Model:
  """Returns a model of one rate with gain units.

  Args:
    backbones: The models of one rate by name.
    backbone: The one to wrap.
    lambdas: The weight of the distortion at each level, ascending.
    ms_ssim_lambdas: Likewise, of 1 - MS-SSIM; none are published for 8 levels.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    name: The model's name.
    **backbone_options: Its own; the quality sets nothing but widths.

  Raises:
    JaxlicError: If there is no such backbone or input, there are less than two
      levels, or lambdas do not ascend.
  """
  if backbone not in backbones:
    raise JaxlicError(
      f"a backbone is one of {', '.join(backbones)}, got {backbone!r}; choose "
      "one of them"
    )
  model = options.build(
    backbones[backbone], f"{name} with {backbone}", backbone_options
  )
  names = [stage.spec.name for stage in model.stages]
  return gain_units.wrap(
    model,
    hyper="z" if "z" in names else None,
    name=name,
    lambdas=lambdas,
    ms_ssim_lambdas=ms_ssim_lambdas,
    hyper_input=hyper_input,
  )
