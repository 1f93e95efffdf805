"""Spatial-channel gain: every rate, and bits where a quality map wants them.

Command: python train.py --config=configs/scgain.py --workdir=RUN \
           --config.data.folder=PHOTOS
Recipe: mmSir, "GainedVAE", 2021: as configs/gained.py, with random quality
  maps. There, levels are drawn unevenly (15 % the highest rate, 5 % the next),
  losses are divided by their moving average, and those above 10 are skipped.
To expect: no figures are published; configs/comparisons/scgain.py is a small
  one that was trained.
"""

from configs import default
from jaxlic.models.gained import GAINED_VAE
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from GainedVAE's recipe."""
  config = recipes.gained(
    "scgain", lambdas=GAINED_VAE, width=128, latent=192, hidden=128
  )
  return default.flags(config, size, width=6, latent=8, hidden=5)
