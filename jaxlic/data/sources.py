"""Photographs by position, for training: a folder, or ArrayRecord files.

The records are those of `pack`: `MAGIC`, the photograph's name in UTF-8, a zero
byte, and then either the bytes of an image file or, for tiles, those of a .npy
file with samples uint8 [H W 3].
"""

import dataclasses
import io
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from jaxtyping import UInt8

from jaxlic.data import images
from jaxlic.errors import JaxlicError, one_line

SUFFIX = ".array_record"
MAGIC = b"jlr1"  # its digit is the version of the layout

_NPY = b"\x93NUMPY"
_THREADS = 16


class Record(NamedTuple):
  """A photograph, still encoded."""

  name: str
  data: bytes  # of an image file, or of a .npy file


@dataclasses.dataclass(frozen=True)
class Source:
  """A fixed sequence of photographs, to be read in any order by any thread."""

  fetch: Callable[[int], Record]  # position -> record; can be pickled
  size: int
  skipped: tuple[str, ...] = ()  # names of files that are no photographs
  # Height and width of each as `size` has them, where opening has told.
  sizes: tuple[tuple[int, int], ...] | None = None

  def __len__(self) -> int:
    return self.size

  def __getitem__(self, position: int) -> Record:
    return self.fetch(position)


def open_source(path: str | os.PathLike) -> Source:
  """Returns the photographs in a folder, or those that `pack` wrote.

  A folder that holds `*.array_record` gives their records, in the order of
  their names; any other gives its image files, nested ones as well. Those with
  an unreadable header are left out, and logged.

  Raises:
    JaxlicError: If there is nothing at the path, no photograph in it, or a
      record file is damaged or not of this version.
  """
  path = Path(path)
  if os.path.isfile(path):
    return _open_records([path])
  parts = sorted(path.glob(f"*{SUFFIX}")) if os.path.isdir(path) else []
  return _open_records(parts) if parts else _open_folder(path)


def read_file(folder: Path, name: str) -> Record:
  """Returns the bytes of a file in a folder.

  Raises:
    JaxlicError: If it cannot be read.
  """
  try:
    return Record(name, (folder / name).read_bytes())
  except OSError as error:
    raise JaxlicError(
      f"{name}: cannot read ({error.strerror}); check the path"
    ) from error


def none_readable(folder: str | os.PathLike, count: int) -> JaxlicError:
  """The error of a folder in which no file is a photograph."""
  return JaxlicError(
    f"{folder}: training needs photographs, none of the {count} image files"
    " here can be read; get them again"
  )


def decode(record: Record) -> UInt8[np.ndarray, "H W 3"]:
  """Returns a photograph's samples; deep ones are rounded to 8 bits.

  Raises:
    JaxlicError: If the record is damaged, or refused by `images.read`.
  """
  if record.data.startswith(_NPY):
    return _decode_tile(record)
  try:
    return images.read(record.data, reduce_depth=True).pixels
  except JaxlicError as error:
    reason = str(error).removeprefix("image: ")
    raise JaxlicError(f"{record.name}: {reason}") from error


def size(record: Record) -> tuple[int, int]:
  """Returns a photograph's two sides, rows as stored first; decodes no sample.

  Raises:
    JaxlicError: If its header is damaged, or refused by `images.read`.
  """
  if record.data.startswith(_NPY):
    return _decode_tile(record).shape[:2]
  return images.header_size(record.name, record.data)


def size_at(source: Source, position: int) -> tuple[int, int]:
  """Returns the two sides of a source's photograph, as `size` does.

  Raises:
    JaxlicError: As `size` does.
  """
  if source.sizes is not None:
    return source.sizes[position]
  return size(source[position])


def tile_of(record: Record) -> str | None:
  """Returns the photograph that a tile is cut from; None if it is no tile."""
  if not record.data.startswith(_NPY):
    return None
  return record.name.rpartition("@")[0]


def to_bytes(record: Record) -> bytes:
  """Returns what ArrayRecord stores of a record."""
  name = record.name.encode("utf-8", "surrogateescape")
  return MAGIC + name + b"\0" + record.data


def from_bytes(data: bytes) -> Record:
  """Inverse of `to_bytes`.

  Raises:
    JaxlicError: If the bytes are not those of a record of this version.
  """
  if not data.startswith(MAGIC) or b"\0" not in data:
    raise JaxlicError(
      f"records start with {MAGIC.decode()}, got {data[: len(MAGIC)]!r};"
      " pack the photographs again with jaxlic prepare"
    )
  end = data.index(b"\0")
  name = data[len(MAGIC) : end].decode("utf-8", "surrogateescape")
  return Record(name, data[end + 1 :])


def tile_bytes(samples: UInt8[np.ndarray, "H W 3"]) -> bytes:
  """Returns samples as the bytes of a .npy file, which need no decoding."""
  file = io.BytesIO()
  np.lib.format.write_array(file, np.ascontiguousarray(samples), version=(1, 0))
  return file.getvalue()


def _open_folder(folder: Path) -> Source:
  paths = images.list_photos(folder)
  with futures.ThreadPoolExecutor(_THREADS) as pool:
    sizes = list(pool.map(_header_size, paths))
  names = [str(path.relative_to(folder)) for path in paths]
  kept = {n: s for n, s in zip(names, sizes, strict=True) if s is not None}
  skipped = tuple(name for name in names if name not in kept)
  if skipped:
    logging.warning(
      "%s: left out %d unreadable files: %s",
      folder,
      len(skipped),
      ", ".join(skipped),
    )
  if not kept:
    raise none_readable(folder, len(paths))
  fetch = partial(_fetch_file, folder, tuple(kept))
  return Source(fetch, len(kept), skipped, tuple(kept.values()))


def _header_size(path: Path) -> tuple[int, int] | None:
  """Height and width as stored; None if the file cannot be read."""
  try:
    return images.check_header(path)
  except JaxlicError:
    return None


def _fetch_file(folder: Path, names: Sequence[str], position: int) -> Record:
  return read_file(folder, names[position])


def _open_records(paths: Sequence[Path]) -> Source:
  from array_record.python import array_record_data_source as array_record

  try:
    records = array_record.ArrayRecordDataSource([str(p) for p in paths])
  except RuntimeError as error:
    raise JaxlicError(
      f"{paths[0]}: not a whole ArrayRecord file"
      f" ({one_line(error)}); write it again with jaxlic prepare"
    ) from error
  if not len(records):
    raise JaxlicError(f"{paths[0]}: holds no records; pack a folder of images")
  source = Source(partial(_fetch_record, records), len(records))
  try:
    source[0]
  except JaxlicError as error:
    raise JaxlicError(f"{paths[0]}: {error}") from error
  return source


def _fetch_record(records: Any, position: int) -> Record:
  try:
    data = records[position]
  except RuntimeError as error:
    raise JaxlicError(
      f"record {position}: damaged ({one_line(error)}); pack the photographs"
      " again with jaxlic prepare"
    ) from error
  return from_bytes(data)


def _decode_tile(record: Record) -> np.ndarray:
  file = io.BytesIO(record.data)
  try:
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.uint8 or shape[2:] != (3,):
      raise ValueError(f"tiles are uint8 [H W 3], got {dtype} {list(shape)}")
    # Unlike read_array, without a copy.
    samples = np.frombuffer(record.data, np.uint8, offset=file.tell())
    return samples.reshape(shape)
  except ValueError as error:
    raise JaxlicError(
      f"{record.name}: damaged ({error}); pack it again with jaxlic prepare"
    ) from error
