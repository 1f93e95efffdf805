"""The end-to-end optimized model of Balle 2017, at quality 1 to 8.

Command: python train.py --config=configs/balle2017.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=4
  --config.model.options.norm=square for the seminar's normalization,
  --config.model.options.normalize_latent=False for TensorFlow Compression's
  variant, --config.model.options.grey for one channel.
Recipe: Balle, Laparra, Simoncelli, "End-to-end optimized image compression",
  2017: Adam from 1e-4, divided by ten on plateaus, 6,507 photographs of
  ImageNet. Batches of 8 crops of 256 are those of TensorFlow Compression's
  models/bls2017.py, which clips no gradients either; weights of the distortion
  are CompressAI's. What a plateau is, 20 windows of 10,000 steps without a
  lower loss, the paper does not say.
To expect: not trained here, and no figures of this model were at hand: what
  TensorFlow Compression has under this paper's name are CompressAI's figures of
  bmshj2018-factorized, see configs/bmshj2018_factorized.py. norm=square starts
  at a loss of millions and learns slowly: after 1,500 steps at 1e-3 of the toy
  with 24 channels, training on Kodak, 14 dB where sqrt has 22 to 23 dB.
"""

from configs import default
from jaxlic.training import recipes
from jaxlic.training.config import NEVER, Config, Data, Optimizer


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  model = recipes.published("balle2017", grey=False, normalize_latent=True)
  config = Config(
    data=Data(batch=8),
    optimizer=Optimizer(schedule="plateau", factor=0.1, clip_norm=NEVER),
    model=recipes.without(model, "latent"),
  )
  return default.flags(config, size, width=6)
