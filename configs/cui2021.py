"""The asymmetric gained model of Cui 2021: every rate, asymmetric Gaussians.

Command: python train.py --config=configs/cui2021.py --workdir=RUN \
           --config.data.folder=PHOTOS
  For MS-SSIM: add --config.loss.distortion=ms-ssim
  Of ImageNet, as a reproduction had it (100,000 photographs above 256 pixels):
  add --config.data.smallest_side=257 --config.data.limit=100000
Recipe: Cui et al., "Asymmetric gained deep image compression with continuous
  rate adaptation", 2021: 6 levels, two million crops of 256 pixels of 5,000
  photographs and CLIC 2020, batches of 8, Adam at 1e-4, halved after 6 of 12
  epochs of 250,000 steps.
To expect on Kodak, read off the paper's figure 7 (not trained here): 0.03 0.10
  0.25 0.50 0.75 1.01 bpp, 24.1 27.7 31.1 34.4 36.4 38.0 dB.
"""

from configs import default
from jaxlic.training.config import Config, Data, Loss, Model, Optimizer


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  options = {"width": 192, "hyper_input": "gained", "surrogate": "universal"}
  config = Config(
    data=Data(batch=8),
    optimizer=Optimizer(
      schedule="step", steps=3_000_000, boundaries=(1_500_000,)
    ),
    loss=Loss(balance=0.0),
    model=Model("cui2021", options),
  )
  return default.flags(config, size, width=6)
