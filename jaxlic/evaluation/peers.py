"""JPEG, WebP and AVIF of Pillow, by one description each.

Each is as good as its encoder makes it within a second or so for a picture of a
quarter of a megapixel. AVIF has full chroma, and is tuned for SSIM, as libavif
had it up to 1.3: on the package's photograph the tuning for what eyes see, of
1.4, takes 20 % more bytes at equal PSNR, and that for PSNR half a percent less,
but 10 % more at equal MS-SSIM. It has one thread, since threads change bytes.
"""

import io
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxlic.evaluation import sweep
from jaxlic.evaluation.sweep import Pixels

SLACK = 2  # qualities over which a file may be no larger than one before


class Peer(NamedTuple):
  """A codec to be compared with."""

  name: str
  encode: Callable[[Pixels, int], bytes]
  qualities: range  # ascending; so are sizes, but for small steps back


def _pillow(name: str, qualities: range, **options: object) -> Peer:
  def encode(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, quality=quality, **options)
    return file.getvalue()

  return Peer(name, encode, qualities)


JPEG = _pillow("JPEG", range(1, 101), optimize=True)
WEBP = _pillow("WebP", range(101), method=6)
AVIF = _pillow(
  "AVIF",
  range(101),
  speed=4,
  subsampling="4:4:4",
  max_threads=1,
  advanced={"tune": "ssim"},
)
ALL = (JPEG, WEBP, AVIF)


def decode(data: bytes) -> Pixels:
  """Returns the picture of a peer's file."""
  with Image.open(io.BytesIO(data)) as image:
    return np.array(image.convert("RGB"))


def fit(peer: Peer, pixels: Pixels, size_bytes: int) -> int:
  """Returns the quality whose file is the largest within `size_bytes`.

  The best of them if several are as large, and the lowest quality where even
  that file is larger. It is found by bisection, and `SLACK` qualities to each
  side of it are tried, since sizes do not quite rise with the quality.
  """
  sizes: dict[int, int] = {}

  def fits(quality: int) -> bool:
    if quality not in sizes:
      sizes[quality] = len(peer.encode(pixels, quality))
    return sizes[quality] <= size_bytes

  low, high = 0, len(peer.qualities)
  while low < high:
    middle = (low + high) // 2
    low, high = (
      (middle + 1, high) if fits(peer.qualities[middle]) else (low, middle)
    )
  near = peer.qualities[max(low - 1 - SLACK, 0) : low + SLACK + 1]
  fitting = [quality for quality in near if fits(quality)]
  return max(
    fitting, key=lambda quality: (sizes[quality], quality), default=near[0]
  )


def code(peer: Peer, pixels: Pixels, quality: int) -> sweep.Coded:
  """Returns the file at a quality, and what it shows."""
  return sweep.timed(lambda: peer.encode(pixels, quality), decode)


def curve(
  peer: Peer, pixels: Pixels, *, qualities: Sequence[int] | None = None
) -> list[sweep.Point]:
  """Returns what the picture's file costs and shows at each quality.

  No density says a rate: `estimated_bpp` is nan.

  Args:
    peer: The codec.
    pixels: The picture.
    qualities: By default every tenth.
  """
  if qualities is None:
    qualities = peer.qualities[::10]
  return [
    sweep.point(
      pixels,
      code(peer, pixels, quality),
      quality=float(quality),
      estimated_bpp=math.nan,
    )
    for quality in qualities
  ]
