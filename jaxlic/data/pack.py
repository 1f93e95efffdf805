"""Folders of photographs as one ArrayRecord file, for large training sets.

One file is opened faster than a million, and tiles need no decoding. `sources`
describes the records, and reads them.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxlic.data import images, output, sources
from jaxlic.data.sources import Record
from jaxlic.errors import JaxlicError, one_line

# Compression only slows reading: of photographs it saves nothing, of tiles a
# fifth at a quarter of the speed. Groups are read whole for one of their
# records: 16 of them make random reads 8 times slower.
_OPTIONS = "group_size:1,uncompressed"
_AT_ONCE = 16  # photographs decoded, and held in memory


class Packed(NamedTuple):
  """What was written."""

  photos: int
  skipped: tuple[str, ...]  # names of files that `images.read` refuses
  records: int
  size_bytes: int


def pack(
  folder: str | os.PathLike,
  target: str | os.PathLike,
  *,
  tile: int | None = None,
  max_side: int | None = None,
  force: bool = False,
  progress: Callable = iter,
) -> Packed:
  """Writes the photographs in and below a folder as records, in name order.

  Each is decoded once, and left out if it is damaged. Its file's bytes are
  stored as they are, or else its samples, cut into tiles. At the last row and
  column tiles are moved inwards; smaller photographs are one tile as they are.

  Shrinking takes most of an earlier compression's artefacts away, as Theis et
  al., "Lossy image compression with compressive autoencoders", 2017, section
  3.1, have it for 1,536 pixels; it is antialiased, and a PNG is stored.

  Args:
    folder: The photographs.
    target: The file; one with such records is replaced, whole or not at all.
    tile: Side of the tiles in pixels; None stores files.
    max_side: Photographs of a longer side are shrunk to it first; None: none.
    force: Replace a target that holds something else.
    progress: Wraps the list of paths, as `tqdm` does.

  Raises:
    JaxlicError: If there is no photograph, a side is not positive, or the
      target has another suffix than .array_record, cannot be written, or holds
      something else.
  """
  for what, side in (("tiles", tile), ("photographs", max_side)):
    if side is not None and side < 1:
      raise JaxlicError(
        f"{what} have a side of 1 pixel or more, got {side}; give a larger one"
      )
  output.check_target(target, _KIND, force=force)
  paths = images.list_photos(folder)
  skipped, records = [], 0
  with output.replacing(target) as temporary, _writer(temporary) as write:
    per_photo = _in_threads(
      partial(_records, Path(folder), tile, max_side), paths
    )
    for path, of_photo in zip(progress(paths), per_photo, strict=True):
      for record in of_photo:
        write(sources.to_bytes(record))
      records += len(of_photo)
      if not of_photo:
        skipped.append(str(path.relative_to(folder)))
    if not records:
      raise sources.none_readable(folder, len(paths))
  size_bytes = os.path.getsize(target)
  photos = len(paths) - len(skipped)
  return Packed(photos, tuple(skipped), records, size_bytes)


def _is_source(path: Path) -> bool:
  try:
    return len(sources.open_source(path)) > 0
  except JaxlicError:
    return False


_KIND = output.Kind("a file of records", (sources.SUFFIX,), _is_source)


@contextlib.contextmanager
def _writer(path: Path) -> Iterator[Callable[[bytes], object]]:
  """Gives the function that writes a record."""
  from array_record.python import array_record_module

  try:
    writer = array_record_module.ArrayRecordWriter(str(path), _OPTIONS)
    try:
      yield writer.write
    finally:
      writer.close()
  except RuntimeError as error:
    raise OSError(None, one_line(error)) from error


def _in_threads(function: Callable, items: Sequence) -> Iterator:
  """Yields what a function returns of each item, in their order."""
  with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
    for i in range(0, len(items), _AT_ONCE):
      yield from pool.map(function, items[i : i + _AT_ONCE])


def _records(
  folder: Path, tile: int | None, max_side: int | None, path: Path
) -> list[Record]:
  """The records of a photograph; none if it is refused."""
  try:
    record = sources.read_file(folder, str(path.relative_to(folder)))
    samples = sources.decode(record)
  except JaxlicError:
    return []
  height, width = samples.shape[:2]
  if max_side is not None and max(height, width) > max_side:
    samples = _shrunk(samples, max_side)
    height, width = samples.shape[:2]
    if tile is None:
      return [record._replace(data=_png(samples))]
  if tile is None:
    return [record]
  return [
    Record(
      f"{record.name}@{top},{left}",
      sources.tile_bytes(samples[top : top + tile, left : left + tile]),
    )
    for top in _starts(height, tile)
    for left in _starts(width, tile)
  ]


def _shrunk(
  samples: UInt8[np.ndarray, "H W 3"], max_side: int
) -> UInt8[np.ndarray, "h w 3"]:
  """The photograph at the scale at which its longer side is `max_side`."""
  sides = samples.shape[1::-1]
  size = [max(1, round(side * max_side / max(sides))) for side in sides]
  image = Image.fromarray(samples)
  return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _png(samples: UInt8[np.ndarray, "H W 3"]) -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(samples).save(buffer, "PNG")
  return buffer.getvalue()


def _starts(side: int, tile: int) -> list[int]:
  """First rows or columns of the tiles that cover a side."""
  return [max(min(i, side - tile), 0) for i in range(0, side, tile)]
