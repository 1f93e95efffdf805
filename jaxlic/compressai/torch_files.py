"""Weights out of PyTorch's checkpoint files, in both formats.

| format | holds |
|---|---|
| zip archive | `NAME/data.pkl`, the object, and `NAME/data/KEY`, its storages |
| legacy | pickles of a magic number, a version, a system, the object and its \
storages' keys; then each storage's count, 8 bytes, and its values |

What is not on the way to the weights, such as an optimizer's tensors, is never
looked up.

References:
  Paszke et al., "PyTorch", 2019; torch/serialization.py of release 2.13.
"""

import functools
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxlic.compressai import pickles
from jaxlic.compressai.pickles import Storage, Tensor
from jaxlic.errors import JaxlicError

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the legacy format
VERSION = 1001  # the second
# What reading a damaged file raises.
_DAMAGE = (
  AttributeError,
  EOFError,
  IndexError,
  KeyError,
  NotImplementedError,
  OSError,
  OverflowError,
  RuntimeError,
  TypeError,
  ValueError,
  struct.error,
  zipfile.BadZipFile,
  zlib.error,
)

Fetch = Callable[[Storage], bytes]  # the values of a storage


def read(path: str | Path) -> dict[str, np.ndarray]:
  """Returns the named weights of a checkpoint, as they are stored.

  They are those of the object's entry "state_dict", if it has one, else of the
  object itself.

  Args:
    path: What `torch.save` wrote, in either format.

  Raises:
    JaxlicError: If the file cannot be read, is damaged or no checkpoint, asks
      for anything but weights, or has none with names.
  """
  data = _read_bytes(path)
  try:
    content, fetch = _open(data)
    fetch = functools.cache(fetch)  # Tensors may share a storage.
    weights = {
      name: _array(tensor, fetch)
      for name, tensor in _named_tensors(content).items()
    }
  except pickles.RefusedName as error:
    raise JaxlicError(
      f"{path}: a checkpoint of weights does not ask for {error}; save those "
      "alone: torch.save(model.state_dict(), PATH)"
    ) from error
  except _DAMAGE as error:
    reason = " ".join(str(error).split())[:80]
    raise JaxlicError(
      f"{path}: cannot be read as a PyTorch checkpoint ({reason}); fetch or "
      "save it again"
    ) from error
  if not weights:
    raise JaxlicError(
      f"{path}: a checkpoint maps names to tensors, or has such a state_dict, "
      "this one does not; save model.state_dict()"
    )
  return weights


def _read_bytes(path: str | Path) -> bytes:
  try:
    return Path(path).read_bytes()
  except (OSError, ValueError) as error:
    reason = getattr(error, "strerror", None) or error
    raise JaxlicError(f"{path}: cannot read ({reason}); check it") from error


def _open(data: bytes) -> tuple[Any, Fetch]:
  """The object of a checkpoint, and what gives its storages."""
  if data.startswith(b"PK\x03\x04"):
    return _open_zip(data)
  return _open_legacy(data)


def _open_zip(data: bytes) -> tuple[Any, Fetch]:
  archive = zipfile.ZipFile(io.BytesIO(data))
  members = {member.filename: member for member in archive.infolist()}
  if sum(member.file_size for member in members.values()) > len(data):
    raise ValueError("its members are larger than it")
  pickled = [name for name in members if name.endswith("data.pkl")]
  if len(pickled) != 1:
    raise ValueError(f"{len(pickled)} of its members are a data.pkl")
  root = pickled[0].removesuffix("data.pkl")
  order = "<"
  if f"{root}byteorder" in members:
    order = {b"little": "<", b"big": ">"}[archive.read(f"{root}byteorder")]
  content = pickles.run(io.BytesIO(archive.read(pickled[0])), order)

  def fetch(storage: Storage) -> bytes:
    return archive.read(f"{root}data/{storage.key}")

  return content, fetch


def _open_legacy(data: bytes) -> tuple[Any, Fetch]:
  file = io.BytesIO(data)
  if (pickles.run(file), pickles.run(file)) != (MAGIC, VERSION):
    raise ValueError("it does not start like one")
  pickles.run(file)  # of the system that wrote it
  storages: dict[str, Storage] = {}
  content = pickles.run(file, storages=storages)
  starts = {}
  for key in pickles.run(file):
    (count,) = struct.unpack("<q", file.read(8))
    size = storages[key].count * storages[key].dtype.itemsize
    if count != storages[key].count or len(data) - file.tell() < size:
      raise ValueError(f"storage {key} is incomplete")
    starts[key] = file.tell()
    file.seek(size, io.SEEK_CUR)

  def fetch(storage: Storage) -> bytes:
    start = starts[storage.key]
    return data[start : start + storage.count * storage.dtype.itemsize]

  return content, fetch


def _named_tensors(content: Any) -> dict[str, Tensor]:
  if isinstance(content, dict):
    inner = content.get("state_dict")
    entries = inner if isinstance(inner, dict) else content
    return {
      name: value
      for name, value in entries.items()
      if isinstance(name, str) and isinstance(value, Tensor)
    }
  return {}


def _array(tensor: Tensor, fetch: Fetch) -> np.ndarray:
  """The values of a tensor, read-only; no larger than its storage."""
  storage, offset, shape, strides = tensor
  values = fetch(storage)
  if len(values) != storage.count * storage.dtype.itemsize:
    raise ValueError(f"storage {storage.key} is incomplete")
  if math.prod(shape) > storage.count:
    raise ValueError(f"a tensor of shape {shape} has {storage.count} values")
  size = storage.dtype.itemsize
  if 0 in shape:
    return np.zeros(shape, storage.dtype)
  # NumPy checks that the view lies within the values.
  return np.ndarray(
    shape, storage.dtype, values, offset * size, [s * size for s in strides]
  )
