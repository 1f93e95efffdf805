"""The scale hyperprior of Balle 2018, at quality 1 to 8; see docs/models.md.

Command: python train.py --config=configs/bmshj2018_hyperprior.py \
           --workdir=RUN --config.data.folder=PHOTOS \
           --config.model.options.quality=4
Recipe: Balle et al., "Variational image compression with a scale hyperprior",
  2018: a million web photographs, shrunk at random, crops of 256, batches of 8,
  Adam at 1e-4 without decay. The number of steps is that of the public
  implementation in tensorflow/compression, a million.
To expect on Kodak, quality 1 to 8, from CompressAI's weights after 4 to 5
  million steps (not trained here): 0.131 0.209 0.320 0.478 0.669 0.939 1.259
  1.660 bpp, 27.58 29.20 30.97 32.84 34.53 36.74 38.58 40.56 dB.
"""

from configs import default
from jaxlic.training import recipes
from jaxlic.training.config import Config, Data, Optimizer


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  config = Config(
    data=Data(batch=8, smallest_scale=0.5),
    optimizer=Optimizer(steps=1_000_000),
    model=recipes.published("bmshj2018-hyperprior"),
  )
  return default.flags(config, size, width=6, latent=8)
