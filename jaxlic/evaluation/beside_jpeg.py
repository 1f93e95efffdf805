"""A codec beside JPEG at the same size, in numbers and in a picture."""

import io
import time
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from jaxlic import files, metrics
from jaxlic.data.images import Photo
from jaxlic.zoo import Trained

Pixels = UInt8[np.ndarray, "H W 3"]

CAPTION_ROWS = 20  # pixels above each panel
GAP = 4  # white columns between panels


class Entry(NamedTuple):
  """One way to store an image, and what it shows."""

  name: str
  pixels: Pixels
  size_bytes: int
  bpp: float
  psnr_db: float
  encode_s: float
  decode_s: float

  def caption(self) -> str:
    """One line for a panel."""
    return (
      f"{self.name}: {self.size_bytes:,} bytes, {self.bpp:.3f} bpp, "
      f"{self.psnr_db:.2f} dB"
    )


def beside_jpeg(
  photo: Photo, *, model: Trained, quality: float | None = None
) -> tuple[Entry, Entry]:
  """Returns the codec's entry, and that of the JPEG that `fit_jpeg` finds.

  Neither has EXIF or XMP. A first round compiles and is not timed.

  Raises:
    JaxlicError: If the quality is out of range.
  """
  photo = photo.stripped()
  data = files.compress_photo(photo, quality=quality, model=model)
  files.decompress_photo(data, model=model)
  start = time.perf_counter()
  data = files.compress_photo(photo, quality=quality, model=model)
  middle = time.perf_counter()
  shown = files.decompress_photo(data, model=model).pixels
  seconds = middle - start, time.perf_counter() - middle
  entry = _entry(f"jaxlic {model.name}", photo, shown, len(data), seconds)
  return entry, _jpeg_entry(photo, fit_jpeg(photo.pixels, len(data)))


def fit_jpeg(pixels: Pixels, size_bytes: int) -> int:
  """Returns the JPEG quality whose file is the largest within `size_bytes`.

  1 where even that file is larger. Sizes need not rise with the quality, so
  that all of them are tried.
  """
  sizes = {quality: len(jpeg(pixels, quality)) for quality in range(1, 101)}
  fitting = [quality for quality in sizes if sizes[quality] <= size_bytes]
  return max(fitting, key=lambda quality: (sizes[quality], quality), default=1)


def jpeg(pixels: Pixels, quality: int) -> bytes:
  """Returns a JPEG file with Pillow's chroma subsampling."""
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True)
  return file.getvalue()


def side_by_side(
  panels: list[tuple[str, UInt8[np.ndarray, "H _ 3"]]],
) -> UInt8[np.ndarray, "rows columns 3"]:
  """Returns captioned images of equal height in a row, on white.

  Each column is at least as wide as its caption.
  """
  font = ImageFont.load_default()
  widths = [
    max(pixels.shape[1], int(font.getlength(caption)) + 2 * GAP)
    for caption, pixels in panels
  ]
  height = CAPTION_ROWS + panels[0][1].shape[0]
  width = sum(widths) + GAP * (len(panels) - 1)
  canvas = Image.new("RGB", (width, height), "white")
  draw, left = ImageDraw.Draw(canvas), 0
  for (caption, pixels), column in zip(panels, widths, strict=True):
    draw.text((left + GAP, GAP), caption, fill="black", font=font)
    canvas.paste(Image.fromarray(pixels), (left, CAPTION_ROWS))
    left += column + GAP
  return np.array(canvas)


def _jpeg_entry(photo: Photo, quality: int) -> Entry:
  start = time.perf_counter()
  data = jpeg(photo.pixels, quality)
  middle = time.perf_counter()
  shown = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
  seconds = middle - start, time.perf_counter() - middle
  return _entry(f"JPEG quality {quality}", photo, shown, len(data), seconds)


def _entry(
  name: str,
  photo: Photo,
  shown: Pixels,
  size_bytes: int,
  seconds: tuple[float, float],
) -> Entry:
  height, width = shown.shape[:2]
  rate = metrics.bpp(size_bytes, height, width)
  psnr_db = metrics.psnr_db(photo.pixels, shown)
  return Entry(name, shown, size_bytes, rate, psnr_db, *seconds)
