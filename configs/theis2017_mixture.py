"""The variant of Theis 2017 with a mixture of Gaussians, without mirroring.

Command: python train.py --config=configs/theis2017_mixture.py --workdir=RUN \
           --config.data.folder=PHOTOS
Recipe: crops of photographs shrunk by up to eight, Adam at 1e-4, batches of 32
  crops of 128. The symbols are rounded in training, as in files, and rated with
  the exact masses. The number of Gaussians is not published; 2 here.
To expect: nothing is published, nor trained here at this size.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the paper's recipe."""
  config = recipes.theis2017(
    "theis2017-mixture",
    density="mixture",
    components=2,
    padding="zero",
    rated="exact",
    open_at_first=0,
  )
  config.data.smallest_scale = 0.125
  return default.flags(config, size, width=6, latent=8)
