"""The channel-conditional model of Minnen 2020; see docs/models.md.

Command: python train.py --config=configs/ms2020.py --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.quality=4
Recipe: the public implementation in tensorflow/compression, models/ms2020.py:
  photographs of CLIC, crops of 256, batches of 8, Adam at 1e-4, a million
  steps; noise rates the latents, and rounded ones are decoded. Its GDN is
  --config.model.options.norm=simplified, its weight of the distortion 0.01.
To expect on Kodak, the paper's curve (not trained here; its weights of the
  distortion are others): 0.113 0.190 0.300 0.461 0.669 0.899 bpp, 28.62 30.26
  31.96 33.83 35.76 37.41 dB.
"""

from configs import default
from jaxlic.training import recipes
from jaxlic.training.config import Config, Data, Optimizer

TINY = {"slices": 2, "hyper_widths": (6, 7, 8), "slice_widths": (7, 6)}


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  model = recipes.published(
    "ms2020",
    slices=10,
    support=5,  # slices that a prediction sees at most
    hyper_widths=(192, 256, 320),
    slice_widths=(224, 128),
    surrogate="mixed",
  )
  config = Config(
    data=Data(batch=8), optimizer=Optimizer(steps=1_000_000), model=model
  )
  return default.flags(config, size, width=6, latent=8, **TINY)
