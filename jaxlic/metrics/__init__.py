"""How good and how large: PSNR, MS-SSIM, bits per pixel, BD-rate.

Qualities are of 8-bit RGB, as a viewer would see it, and per image: the mean
over a data set is of decibels and of bits per pixel, as CompressAI averages.
"""

from jaxlic.metrics.curves import bd_rate
from jaxlic.metrics.pixels import bpp, psnr_db
from jaxlic.metrics.similarity import MS_SSIM_MIN_SIDE, ms_ssim, ms_ssim_db

__all__ = [
  "MS_SSIM_MIN_SIDE",
  "bd_rate",
  "bpp",
  "ms_ssim",
  "ms_ssim_db",
  "psnr_db",
]
