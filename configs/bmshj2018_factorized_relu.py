"""The factorized prior of Balle 2018 with ReLUs, at quality 1 to 8.

Command: python train.py --config=configs/bmshj2018_factorized_relu.py \
           --workdir=RUN --config.data.folder=PHOTOS \
           --config.model.options.quality=4
Recipe: that of the model with GDN, see configs/bmshj2018_factorized.py: the two
  differ in nothing else.
To expect: no figures are published (not trained here).
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published("bmshj2018-factorized-relu")
  del config.model.options.norm
  config.data.batch = 8
  config.data.smallest_scale = 0.5
  config.optimizer.schedule = "plateau"
  config.optimizer.factor = 0.1
  return default.sized(config, size, width=6, latent=8)
