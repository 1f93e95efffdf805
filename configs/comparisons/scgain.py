"""The small codec with a quality map that the tests use.

Command: python train.py --config=configs/comparisons/scgain.py --workdir=RUN \
           --config.data.folder=PHOTOS
Took 20 minutes on one core of an AMD EPYC. Kodak, real files, without a map:
  0.075 bpp 22.54 dB, 0.150 bpp 23.64 dB, 0.257 bpp 24.04 dB.
"""

from configs import default
from jaxlic.training import recipes


def get_config() -> default.ConfigDict:
  """Returns every field that differs from GainedVAE's recipe."""
  lambdas = (0.0005, 0.002, 0.008)
  config = recipes.gained(
    "scgain", lambdas=lambdas, width=20, latent=32, hidden=16
  )
  config.loss.balance = 0.5
  return default.flags(recipes.short(config, steps=6_000, batch=4))
