"""LVQAC around the joint prior of Minnen 2018, at quality 1 to 6.

Command: python train.py --config=configs/lvqac_minnen2018.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=3
  --config.model.options.order=checkerboard for the paper's other context. With
  fewer steps set --config.loss.temperature_steps to as many.
Recipe: that of the paper, with its epochs of 8,000 photographs as steps: Adam
  at 1e-4 for 2,000 epochs, at 1e-5 for 100, batches of 16 crops of 512. The
  temperature of the softmax is ours. Gradients are clipped to norm 1, which the
  paper, as it is cited, does not say: it builds on CompressAI, whose training
  clips. A is of y and sent (companding=sent); companding=hyper predicts it.
To expect, as the paper is cited: BD-rates of -19 % against Minnen 2018,
  checkerboard both; not trained here. What was seen at a small width:
  configs/comparisons/lattices.py.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the paper's recipe."""
  config = recipes.lvqac("lvqac-minnen2018")
  return default.flags(config, size, width=6, latent=8)
