"""The mean-scale hyperprior of Minnen 2018, quality 1 to 8; see docs/models.md.

Command: python train.py --config=configs/mbt2018_mean.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=4
  For MS-SSIM, CompressAI goes on from the weights for MSE at a rate of 1e-5:
  add --config.start_from=CODEC --config.loss.distortion=ms-ssim \
    --config.optimizer.learning_rate=1e-5
Recipe: Begaint et al., "CompressAI", 2020, documentation of the model zoo:
  crops of 256 pixels of Vimeo-90K, batches of 16, Adam at 1e-4, clipped to norm
  1, halved when the loss has not fallen for 20 epochs (of 153,939 photographs,
  9,621 steps each), 4 to 5 million steps.
To expect on Kodak, quality 1 to 8, from CompressAI's weights (not trained
  here): 0.124 0.198 0.307 0.461 0.662 0.914 1.234 1.619 bpp, 27.70 29.36 31.13
  32.95 34.97 36.91 38.84 40.63 dB.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the recipe of the zoo."""
  config = recipes.zoo(recipes.published("mbt2018-mean"))
  return default.flags(config, size, width=6, latent=8)
