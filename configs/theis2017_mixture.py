"""The variant of Theis 2017 with a mixture of Gaussians, without mirroring.

Command: python train.py --config=configs/theis2017_mixture.py --workdir=RUN \
           --config.data.folder=PHOTOS
Recipe: crops of photographs shrunk by up to eight, Adam at 1e-4, batches of 32
  crops of 128. The symbols are rounded in training, as in files, and rated with
  the exact masses. The number of Gaussians is not published; 2 here.
To expect: nothing is published, nor trained here at this size.
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.ConfigDict(
    {
      "name": "theis2017-mixture",
      "options": {
        "quality": 2,
        "width": 128,
        "density": "mixture",  # or scales, factorized
        "components": 2,
        "padding": "zero",  # or mirror, strided
        "open_at_first": 0,  # channels; 0: all
        "surrogate": "straight",  # or stochastic, noise, mixed, ...
        "rated": "exact",  # or bound
      },
    }
  )
  config.data.update(batch=32, crop=128, smallest_scale=0.125)
  config.optimizer.steps = 1_000_000
  config.optimizer.clip_norm = default.NEVER
  return default.sized(config, size, width=6, latent=8)
