"""The asymmetric gained model of Cui 2021: every rate, asymmetric Gaussians.

Command: python train.py --config=configs/cui2021.py --workdir=RUN \
           --config.data.folder=PHOTOS
  For MS-SSIM: add --config.loss.distortion=ms-ssim
Recipe: Cui et al., "Asymmetric gained deep image compression with continuous
  rate adaptation", 2021: 6 levels, two million crops of 256 pixels of 5,000
  photographs and CLIC 2020, batches of 8, Adam at 1e-4, halved after 6 of 12
  epochs of 250,000 steps.
To expect on Kodak, read off the paper's figure 7 (not trained here): 0.03 0.10
  0.25 0.50 0.75 1.01 bpp, 24.1 27.7 31.1 34.4 36.4 38.0 dB.
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  options = {"width": 192, "hyper_input": "gained", "surrogate": "universal"}
  config.model = default.ConfigDict({"name": "cui2021", "options": options})
  config.loss.balance = 0.0
  config.data.batch = 8
  config.optimizer.schedule = "step"
  config.optimizer.update(steps=3_000_000, boundaries=(1_500_000,))
  return default.sized(config, size, width=6)
