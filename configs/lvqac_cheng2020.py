"""LVQAC around Cheng 2020 without attention, at quality 1 to 6.

Command: python train.py --config=configs/lvqac_cheng2020.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
  --config.model.options.order=checkerboard for the paper's other context. With
  fewer steps set --config.loss.temperature_steps to as many.
Recipe: that of configs/lvqac_minnen2018.py.
To expect, as the paper is cited: BD-rates of -13 % against Cheng 2020,
  checkerboard both; not trained here. What was seen at a small width:
  configs/comparisons/lattices.py.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the paper's recipe."""
  config = recipes.lvqac("lvqac-cheng2020")
  config.model = recipes.without(config.model, "latent")
  return default.flags(config, size, width=6)
