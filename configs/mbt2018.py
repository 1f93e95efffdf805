"""The joint autoregressive and hierarchical prior of Minnen 2018.

Command: python train.py --config=configs/mbt2018.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/mbt2018_mean.py.
To expect on Kodak, quality 1 to 8, from CompressAI's weights (not trained
  here): 0.111 0.187 0.288 0.432 0.639 0.885 1.200 1.587 bpp, 28.09 29.65 31.36
  33.09 35.09 36.99 38.93 40.64 dB.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the recipe of the zoo."""
  config = recipes.zoo(recipes.published("mbt2018"))
  return default.flags(config, size, width=6, latent=8)
