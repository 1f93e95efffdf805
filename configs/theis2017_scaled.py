"""Scales that give a trained codec of theis2017 other rates.

Command: jaxlic export RUN CODEC
         python train.py --config=configs/theis2017_scaled.py --workdir=SCALED \
           --config.start_from=CODEC --config.data.folder=PHOTOS
  with model.options as RUN had them. Everything but the scales stays as it is,
  to the last bit.
Recipe: Theis, Shi, Cunningham, Huszar, "Lossy image compression with
  compressive autoencoders", 2017, section 3.1: Adam at 1e-3, times
  (1000 / (1000 + step))^0.8, for 10,000 steps; crops and batches as before.
  Every image of a batch draws its own level.
To expect: see configs/theis2017.py.
"""

from dataclasses import replace

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the paper's recipe."""
  config = recipes.theis2017(
    "theis2017-scaled",
    lambdas=(0.005, 0.02, 0.1),  # of the levels, lowest rate first
    follow=True,  # or False: the density stays, as in the paper's eq. 9
  )
  config.loss.balance = 0.0
  config.optimizer = replace(
    config.optimizer,
    learning_rate=1e-3,
    schedule="power",
    steps=10_000,
    only=("log_scale",),
  )
  return default.flags(config, size, width=6, latent=8)
