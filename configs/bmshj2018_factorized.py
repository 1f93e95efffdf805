"""The factorized prior of Balle 2018, at quality 1 to 8; see docs/models.md.

Command: python train.py --config=configs/bmshj2018_factorized.py \
           --workdir=RUN --config.data.folder=PHOTOS \
           --config.model.options.quality=4
Recipe: Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
  2017: Adam from 1e-4, divided by ten on plateaus; crops of 256 and batches of
  8 as Balle et al., "Variational image compression with a scale hyperprior",
  2018, have them.
To expect on Kodak, quality 1 to 8, from CompressAI's weights after 4 to 5
  million steps (not trained here): 0.123 0.189 0.288 0.440 0.648 0.967 1.351
  1.833 bpp, 26.91 28.22 29.62 31.28 32.96 35.38 37.40 39.62 dB.
"""

from configs import default
from jaxlic.training import recipes
from jaxlic.training.config import Config, Data, Optimizer


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  config = Config(
    data=Data(batch=8, smallest_scale=0.5),
    optimizer=Optimizer(schedule="plateau", factor=0.1),
    model=recipes.published("bmshj2018-factorized"),
  )
  return default.flags(config, size, width=6, latent=8)
