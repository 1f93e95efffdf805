"""The compressive autoencoder of Theis 2017, at quality 1 to 3.

Command: jaxlic prepare PHOTOS photos.array_record --max-side 1536
         python train.py --config=configs/theis2017.py --workdir=RUN \
           --config.data.folder=photos.array_record \
           --config.model.options.quality=2
Recipe: Theis, Shi, Cunningham, Huszar, "Lossy image compression with
  compressive autoencoders", 2017, section 3.1: 434 photographs, shrunk to at
  most 1536 x 1536; Adam at 1e-4 on batches of 32 crops of 128, for up to a
  million steps. Two channels of y are open at first, and another opens whenever
  the loss has all but stopped falling; at last the rate falls to 1e-5. When
  that is, the paper does not say: here it is when a window of 500 steps gains
  less than 1 % of the loss on the window before.
  The three qualities make the paper's ensemble: `jaxlic ensemble`; their scales
  for rates between are configs/theis2017_scaled.py.
To expect on Kodak, the paper's ensemble with its scales (not trained here):
  0.163 0.259 0.514 0.992 1.501 bpp, 25.10 27.24 30.91 34.86 37.51 dB.
"""

from configs import default
from jaxlic.training import recipes


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the paper's recipe."""
  config = recipes.theis2017("theis2017")
  config.optimizer.open_window = 500
  return default.flags(config, size, width=6, latent=8)
