"""The joint autoregressive and hierarchical prior of Minnen 2018.

Command: python train.py --config=configs/mbt2018.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: Begaint et al., "CompressAI", 2020, documentation of the model zoo:
  crops of 256 pixels of Vimeo-90K, batches of 16, Adam at 1e-4, clipped to norm
  1, halved when the loss has not fallen for 20 epochs (of 153,939 photographs,
  9,621 steps each), 4 to 5 million steps.
To expect on Kodak, quality 1 to 8, from CompressAI's weights (not trained
  here): 0.111 0.187 0.288 0.432 0.639 0.885 1.200 1.587 bpp, 28.09 29.65 31.36
  33.09 35.09 36.99 38.93 40.64 dB.
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published("mbt2018")
  config.optimizer.schedule = "plateau"
  config.optimizer.steps = 4_500_000
  config.optimizer.window = 9_621
  return default.sized(config, size, width=6, latent=8)
