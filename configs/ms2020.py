"""The channel-conditional model of Minnen 2020; see the README.

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


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published("ms2020")
  config.model.options.update(
    slices=10,
    support=5,  # slices that a prediction sees at most
    hyper_widths=(192, 256, 320),
    slice_widths=(224, 128),
    surrogate="mixed",
  )
  config.data.batch = 8
  config.optimizer.steps = 1_000_000
  tiny = {"hyper_widths": (6, 7, 8), "slice_widths": (7, 6)}
  return default.sized(config, size, width=6, latent=8, slices=2, **tiny)
