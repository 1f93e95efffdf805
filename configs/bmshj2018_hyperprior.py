"""The scale hyperprior of Balle 2018, at quality 1 to 8; see the README.

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


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published("bmshj2018-hyperprior")
  config.data.batch = 8
  config.data.smallest_scale = 0.5
  config.optimizer.steps = 1_000_000
  return default.sized(config, size, width=6, latent=8)
