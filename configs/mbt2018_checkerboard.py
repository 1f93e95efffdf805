"""Minnen 2018 with the checkerboard context of He 2021.

Command: python train.py --workdir=RUN \
           --config=configs/mbt2018_checkerboard.py \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/mbt2018.py; decoded latents are rounded in training.
To expect: 1 % fewer bits than raster order, says the paper (not trained here).
"""

from configs import default, mbt2018


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from configs/mbt2018.py."""
  config = mbt2018.get_config(size)
  config.model.name = "mbt2018-checkerboard"
  config.model.options.surrogate = "mixed"
  return config
