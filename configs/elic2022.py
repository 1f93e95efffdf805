"""ELIC, He 2022: uneven channel groups, each a checkerboard.

Command: python train.py --config=configs/elic2022.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/mbt2018_mean.py.
To expect on Kodak, the paper's curve (not trained here; its weights of the
  distortion are others): 0.124 0.197 0.334 0.491 0.704 0.857 bpp, 29.11 30.70
  32.78 34.58 36.49 37.62 dB.
"""

from configs import default
from jaxlic.training import recipes

TINY = {"groups": (2, 3), "context_widths": (4, 4)}


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the recipe of the zoo."""
  model = recipes.published(
    "elic2022",
    width=192,
    latent=320,
    groups=(16, 16, 32, 64),  # the last group has the rest
    context_widths=(224, 128),
    surrogate="mixed",
  )
  config = recipes.zoo(recipes.without(model, "norm"))
  return default.flags(config, size, width=6, latent=8, **TINY)
