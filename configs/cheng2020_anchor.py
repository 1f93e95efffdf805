"""Cheng 2020 without attention, at quality 1 to 6.

Command: python train.py --config=configs/cheng2020_anchor.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/mbt2018_mean.py.
To expect on Kodak, quality 1 to 6, from CompressAI's weights (not trained
  here): 0.120 0.184 0.271 0.417 0.595 0.806 bpp, 28.58 29.97 31.34 33.39 35.12
  36.70 dB.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the recipe of the zoo."""
  model = recipes.published(
    "cheng2020-anchor",
    quality=3,
    components=1,  # the paper's mixture: 3
  )
  config = recipes.zoo(recipes.without(model, "latent"))
  return default.flags(config, size, width=6)
