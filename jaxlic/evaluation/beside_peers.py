"""A codec beside its peers at the same size, in numbers and in a picture."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from jaxlic import metrics
from jaxlic.data.images import Photo
from jaxlic.evaluation import sweep
from jaxlic.evaluation.peers import ALL, Peer, code, fit
from jaxlic.evaluation.sweep import Pixels
from jaxlic.zoo import Trained

CAPTION_ROWS = 20  # pixels above each panel, for a line of 10 of them
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


def beside_peers(
  photo: Photo,
  *,
  model: Trained,
  quality: float | None = None,
  peers: Sequence[Peer] = ALL,
) -> list[Entry]:
  """Returns the codec's entry, and each peer's with the file that `fit` finds.

  None has EXIF or XMP. A first round compiles and is not timed.

  Args:
    photo: The photograph.
    model: The codec.
    quality: As in `files.compress`.
    peers: With what it is compared.

  Raises:
    JaxlicError: If the quality is out of range.
  """
  photo = photo.stripped()
  sweep.code(photo, model=model, quality=quality)
  coded = sweep.code(photo, model=model, quality=quality)
  entry = _entry(f"jaxlic {model.name}", photo, coded)
  return [entry, *(_peer_entry(p, photo, len(coded.data)) for p in peers)]


def side_by_side(
  panels: list[tuple[str, UInt8[np.ndarray, "H _ 3"]]], *, font_px: int = 10
) -> UInt8[np.ndarray, "rows columns 3"]:
  """Returns captioned images of equal height in a row, on white.

  Each column is at least as wide as its caption, of one line or more.
  """
  font = ImageFont.load_default(font_px)
  lines = [caption.split("\n") for caption, _ in panels]
  widths = [
    max(pixels.shape[1], *(int(font.getlength(t)) + 2 * GAP for t in texts))
    for texts, (_, pixels) in zip(lines, panels, strict=True)
  ]
  step = font_px + 2 * GAP  # rows from line to line
  top = CAPTION_ROWS - 10 + font_px + step * (max(map(len, lines)) - 1)
  width = sum(widths) + GAP * (len(panels) - 1)
  canvas = Image.new("RGB", (width, top + panels[0][1].shape[0]), "white")
  draw, left = ImageDraw.Draw(canvas), 0
  for texts, (_, pixels), column in zip(lines, panels, widths, strict=True):
    for number, text in enumerate(texts):
      at = (left + GAP, GAP + step * number)
      draw.text(at, text, fill="black", font=font)
    canvas.paste(Image.fromarray(pixels), (left, top))
    left += column + GAP
  return np.array(canvas)


def _peer_entry(peer: Peer, photo: Photo, size_bytes: int) -> Entry:
  quality = fit(peer, photo.pixels, size_bytes)
  coded = code(peer, photo.pixels, quality)
  return _entry(f"{peer.name} quality {quality}", photo, coded)


def _entry(name: str, photo: Photo, coded: sweep.Coded) -> Entry:
  data, shown, *seconds = coded
  rate = metrics.bpp(len(data), *shown.shape[:2])
  psnr_db = metrics.psnr_db(photo.pixels, shown)
  return Entry(name, shown, len(data), rate, psnr_db, *seconds)
