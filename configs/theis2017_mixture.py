"""The variant of Theis 2017 with a mixture of Gaussians, without mirroring.

Command: python train.py --config=configs/theis2017_mixture.py --workdir=RUN \
           --config.data.folder=PHOTOS
Recipe: crops of 128, 256, 512 and 1024 pixels of 6,000 photographs of RAISE,
  each resized to 128, in batches of 32; Adam at 1e-4. The symbols are rounded
  in training, as in files, and rated with the exact masses. How often each size
  is drawn is not published, nor the number of Gaussians: here all that fit the
  photograph alike, and 2.
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
  config.data.crop_sizes = (128, 256, 512, 1024)
  return default.flags(config, size, width=6, latent=8)
