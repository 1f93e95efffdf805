"""Cheng 2020 without attention, at quality 1 to 6.

Command: python train.py --config=configs/cheng2020_anchor.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: Begaint et al., "CompressAI", 2020, documentation of the model zoo:
  crops of 256 pixels of Vimeo-90K, batches of 16, Adam at 1e-4, clipped to norm
  1, halved when the loss has not fallen for 20 epochs (of 153,939 photographs,
  9,621 steps each), 4 to 5 million steps.
To expect on Kodak, quality 1 to 6, from CompressAI's weights (not trained
  here): 0.120 0.184 0.271 0.417 0.595 0.806 bpp, 28.58 29.97 31.34 33.39 35.12
  36.70 dB.
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published("cheng2020-anchor")
  config.model.options.quality = 3
  config.model.options.components = 1  # the paper's mixture: 3
  for absent in ("latent", "norm"):
    del config.model.options[absent]
  config.optimizer.schedule = "plateau"
  config.optimizer.steps = 4_500_000
  config.optimizer.window = 9_621
  return default.sized(config, size, width=6)
