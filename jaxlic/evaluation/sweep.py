"""Rate and distortion of a codec on photographs, from real files.

Every image is compressed to the bytes of a file, and those bytes are
decompressed: the rate counts all of them, the distortion is of 8-bit RGB. EXIF
and XMP, of which a codec makes nothing, are left out of the files.
"""

import csv
import io
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxlic import files, metrics
from jaxlic.data import images, output
from jaxlic.data.images import Photo
from jaxlic.errors import JaxlicError
from jaxlic.zoo import Trained

Pixels = UInt8[np.ndarray, "H W 3"]


class Coded(NamedTuple):
  """A file of a picture."""

  data: bytes
  pixels: Pixels  # what it shows
  encode_s: float  # seconds from pixels to bytes
  decode_s: float  # seconds from bytes to pixels


class Point(NamedTuple):
  """One quality on one image, or its mean over images."""

  quality: float  # 0 for models of one rate
  bpp: float  # bits per pixel, of whole files
  estimated_bpp: float  # likewise, of what the densities say, without header;
  # nan of codecs that have none
  psnr_db: float  # of 8-bit RGB; inf where equal
  ms_ssim: float | None  # in 0..1, of 8-bit RGB; None where it is undefined
  encode_s: float  # seconds from pixels to bytes
  decode_s: float  # seconds from bytes to pixels


def _is_json(path: Path) -> bool:
  try:
    curve = json.loads(path.read_bytes())
  except (ValueError, RecursionError):
    return False
  return isinstance(curve, dict) and "results" in curve


_COLUMNS = ",".join(Point._fields)
JSON = output.Kind("a curve", (".json",), _is_json)
CSV = output.Kind(
  "a table of a curve", (".csv",), output.begins_with(_COLUMNS.encode())
)
LOG = output.Kind(
  "a log of a curve", (".log", ".txt"), output.begins_with(b"s+l = ")
)


def measure(
  photo: Photo,
  *,
  model: Trained,
  quality: float,
  quality_map: files.MapLike | None = None,
) -> Point:
  """Returns what one photograph's file costs and shows.

  The first call per image size compiles; call it once before, for times.

  Args:
    photo: The photograph.
    model: The codec.
    quality: As in `files.compress`.
    quality_map: As in `files.compress`; the distortion is that of all pixels
      alike.

  Raises:
    JaxlicError: If the quality is out of range, or the model takes no map.
  """
  photo = photo.stripped()
  coded = code(photo, model=model, quality=quality, quality_map=quality_map)
  estimate = model.codec.evaluate(
    model.params, photo.pixels / np.float32(255), quality, quality_map
  )
  height, width = photo.pixels.shape[:2]
  return point(
    photo.pixels,
    coded,
    quality=quality,
    estimated_bpp=sum(estimate.bits.values()) / (height * width),
  )


def code(
  photo: Photo,
  *,
  model: Trained,
  quality: float | None,
  quality_map: files.MapLike | None = None,
) -> Coded:
  """Returns the codec's file of a photograph; all is as in `measure`."""
  return timed(
    lambda: files.compress_photo(
      photo, quality=quality, model=model, quality_map=quality_map
    ),
    lambda data: files.decompress_photo(data, model=model).pixels,
  )


def timed(
  encode: Callable[[], bytes], decode: Callable[[bytes], Pixels]
) -> Coded:
  """Returns what an encoder writes and a decoder makes of it, each timed."""
  start = time.perf_counter()
  data = encode()
  middle = time.perf_counter()
  shown = decode(data)
  return Coded(data, shown, middle - start, time.perf_counter() - middle)


def point(
  pixels: Pixels, coded: Coded, *, quality: float, estimated_bpp: float
) -> Point:
  """Returns the point of a file.

  Args:
    pixels: The original.
    coded: The file.
    quality: As in `Point`.
    estimated_bpp: As in `Point`.

  Raises:
    JaxlicError: If the file shows a picture of another shape.
  """
  return Point(
    quality=quality,
    bpp=metrics.bpp(len(coded.data), *coded.pixels.shape[:2]),
    estimated_bpp=estimated_bpp,
    psnr_db=metrics.psnr_db(pixels, coded.pixels),
    ms_ssim=_ms_ssim(pixels, coded.pixels),
    encode_s=coded.encode_s,
    decode_s=coded.decode_s,
  )


def curve(
  paths: Sequence[str | Path],
  *,
  model: Trained,
  qualities: Sequence[float] | None = None,
  read_map: Callable[[Path, tuple[int, int]], np.ndarray] | None = None,
  progress: Callable[[Iterable], Iterable] = iter,
) -> list[Point]:
  """Returns the mean over images for each quality, in the order given.

  Each image size is compressed once before it is timed, so that times exclude
  compilation.

  Args:
    paths: Image files, at least one.
    model: The codec.
    qualities: What to measure, by default all levels; models of one rate ignore
      it, and give one point.
    read_map: From a path and height and width of its upright image to the
      quality map that it is compressed with; None: without.
    progress: Wraps the paths, for a progress bar.

  Raises:
    JaxlicError: If an image cannot be read or a quality is out of range.
  """
  qualities = _checked(model, qualities)
  warm, points = set(), []
  for path in progress(paths):
    photo = images.read(path)
    size = photo.pixels.shape[:2]
    quality_map = read_map(path, size) if read_map else None
    measured = partial(measure, photo, model=model, quality_map=quality_map)
    if size not in warm:
      warm.add(size)
      measured(quality=qualities[0])
    points.append([measured(quality=quality) for quality in qualities])
  return [mean(column) for column in zip(*points, strict=True)]


def mean(points: Sequence[Point]) -> Point:
  """Returns the mean of images; of MS-SSIM only if all of them have it."""
  columns = Point(*zip(*points, strict=True))
  defined = None not in columns.ms_ssim
  return Point(
    *(
      None if name == "ms_ssim" and not defined else float(np.mean(column))
      for name, column in columns._asdict().items()
    )
  )


def to_json(
  points: Sequence[Point], *, name: str, description: str
) -> dict[str, Any]:
  """Returns the points in CompressAI's schema; undefined numbers are None.

  It has two keys more, the quality and the estimated rate.
  """
  keys = {
    "quality": "quality",
    "bpp": "bpp",
    "estimated-bpp": "estimated_bpp",
    "psnr-rgb": "psnr_db",
    "ms-ssim-rgb": "ms_ssim",
    "encoding_time": "encode_s",
    "decoding_time": "decode_s",
  }
  results = {
    key: [_finite(getattr(point, field)) for point in points]
    for key, field in keys.items()
  }
  return {"name": name, "description": description, "results": results}


def to_csv(points: Sequence[Point]) -> str:
  """Returns a line per point under the names of its fields."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  text.write(f"{_COLUMNS}\n")
  writer.writerows([_finite(value) for value in point] for point in points)
  return text.getvalue()


def to_log(points: Sequence[Point]) -> str:
  """Returns a line per point: quality, PSNR in dB, MS-SSIM, bits per pixel.

  The quality is the level s and its fraction l; what is undefined is nan. The
  last is the rate that the densities say, without header.

  References:
    mmSir, "GainedVAE", 2021, train/eval_gain.py, whose lines these are, with
    more digits, one space before the last and two before others; there level 0
    has the highest rate, and lines of time and checkpoint come first.
  """
  return "".join(
    f"s+l = {_two_digits(point.quality)}  PSNR_AVE: {point.psnr_db:.3f}  "
    f"MS-SSIM_AVE: {_or_nan(point.ms_ssim):.5f}  BPP_AVE: {point.bpp:.4f} "
    f"Est_BPP_AVE: {point.estimated_bpp:.4f}\n"
    for point in points
  )


def _two_digits(quality: float) -> str:
  """The quality with two digits after the point, or with more if it has."""
  short = f"{quality:.2f}"
  return short if float(short) == quality else f"{quality:g}"


def _or_nan(value: float | None) -> float:
  return math.nan if value is None else value


def _checked(model: Trained, qualities: Sequence[float] | None) -> list[float]:
  """The qualities, before hours are spent on the first of them."""
  top = model.spec.max_quality
  if not top:
    return [0.0]
  if qualities is None:
    return [float(level) for level in range(top + 1)]
  wrong = [q for q in qualities if not 0 <= q <= top]
  if wrong or not qualities:
    raise JaxlicError(
      f"qualities of {model.name} are numbers from 0 to {top}, at least one, "
      f"got {wrong[0] if wrong else 'none'}; change the list"
    )
  return [float(q) for q in qualities]


def _ms_ssim(a: np.ndarray, b: np.ndarray) -> float | None:
  if min(a.shape[:2]) < metrics.MS_SSIM_MIN_SIDE:
    return None
  return float(metrics.ms_ssim(a[None], b[None])[0])


def _finite(value: float | None) -> float | None:
  return value if value is not None and math.isfinite(value) else None
