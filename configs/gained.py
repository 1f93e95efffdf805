"""Gained models: one set of weights for every rate, around any backbone.

Command: python train.py --config=configs/gained.py:BACKBONE --workdir=RUN \
           --config.data.folder=PHOTOS
  BACKBONE is an architecture of one rate, such as bmshj2018-factorized,
  bmshj2018-hyperprior, mbt2018-mean, mbt2018 or elic2022.
  Of ImageNet, as a reproduction had it (100,000 photographs above 256 pixels),
  with 1,000 held out: add --config.data.smallest_side=257
  --config.data.limit=101000 --config.eval.split=1000 --config.eval.crop=256,
  for evaluations of whole photographs compile for each of their sizes.
Recipe: mmSir, "GainedVAE", 2021: 8 levels, crops of 256 of OpenImages, batches
  of 16, Adam at 1e-4, clipped to norm 1, a fifth of the rate when the loss has
  not fallen for 10 times 10,000 steps. Every image of a batch draws its own
  level. GainedVAE's widths are kept for its two backbones.
To expect on Kodak, mbt2018-mean, from GainedVAE's weights (not trained here):
  0.039 0.093 0.203 0.345 0.513 0.709 0.844 bpp, 24.49 26.66 29.11 31.31 33.22
  34.74 35.50 dB.
"""

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.models import BACKBONES
from jaxlic.models.gained import GAINED_VAE
from jaxlic.training import recipes

SIZES = {
  "bmshj2018-hyperprior": {"width": 192, "latent": 320},
  # Their own rates need symbols.
  "theis2017": {"surrogate": "straight"},
  "theis2017-mixture": {"surrogate": "straight"},
}
TINY = {
  "elic2022": {"width": 6, "latent": 8, "groups": (2, 3)},
  "ms2020": {"width": 6, "latent": 8, "slices": 2},
  "balle2017": {"width": 6},
  "cheng2020-anchor": {"width": 6},
  "cheng2020-attn": {"width": 6},
  "cheng2020-anchor-checkerboard": {"width": 6},
  "lvqac-cheng2020": {"width": 6},
}


def get_config(words: str = "mbt2018-mean") -> default.ConfigDict:
  """Returns every field that differs from GainedVAE's recipe.

  Args:
    words: The backbone, and "toy" for a size that runs in seconds: "mbt2018",
      "toy" or "mbt2018:toy".

  Raises:
    JaxlicError: If there is no such backbone.
  """
  name, _, size = words.partition(":")
  if name in ("toy", "published"):
    name, size = "mbt2018-mean", name
  if name not in BACKBONES:
    raise JaxlicError(
      f"a backbone is one of {', '.join(BACKBONES)}, got {name!r}; write "
      "--config=FILE:BACKBONE or --config=FILE:BACKBONE:toy"
    )
  config = recipes.gained(
    "gained", lambdas=GAINED_VAE, backbone=name, **SIZES.get(name, {})
  )
  tiny = TINY.get(name, {"width": 6, "latent": 8})
  return default.flags(config, size or "published", **tiny)
