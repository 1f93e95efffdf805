"""Cheng 2020 with attention, at quality 1 to 6.

Command: python train.py --config=configs/cheng2020_attn.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
Recipe: that of configs/cheng2020_anchor.py. The paper's own: K = 3 components,
  weights 0.0016 0.0032 0.0075 0.015 0.03 0.045 of the distortion, 128 channels
  for the first three; set model.options.components and loss.lambdas.
To expect on Kodak, quality 1 to 6, from CompressAI's weights (not trained
  here): 0.116 0.175 0.269 0.427 0.595 0.806 bpp, 28.43 29.77 31.32 33.36 34.95
  36.62 dB.
"""

from configs import cheng2020_anchor, default


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from configs/cheng2020_anchor.py."""
  config = cheng2020_anchor.get_config(size)
  config.model.name = "cheng2020-attn"
  return config
