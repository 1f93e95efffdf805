"""The factorized prior of Balle 2018 with ReLUs, at quality 1 to 8.

Command: python train.py --config=configs/bmshj2018_factorized_relu.py \
           --workdir=RUN --config.data.folder=PHOTOS \
           --config.model.options.quality=4
Recipe: that of the model with GDN, see configs/bmshj2018_factorized.py: the two
  differ in nothing else.
To expect: no figures are published (not trained here).
"""

from configs import bmshj2018_factorized, default


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from configs/bmshj2018_factorized.py."""
  config = bmshj2018_factorized.get_config(size)
  config.model.name = "bmshj2018-factorized-relu"
  del config.model.options.norm
  return config
