"""Cheng 2020 with the checkerboard context of He 2021.

Command: python train.py --workdir=RUN \
           --config=configs/cheng2020_anchor_checkerboard.py \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/cheng2020_anchor.py; decoded latents are rounded in
  training.
To expect: 0.2 % fewer bits than raster order, says the paper (not trained
  here).
"""

from configs import cheng2020_anchor, default


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from configs/cheng2020_anchor.py."""
  config = cheng2020_anchor.get_config(size)
  config.model.name = "cheng2020-anchor-checkerboard"
  config.model.options.surrogate = "mixed"
  return config
