"""What make_fixtures.py left, and checkpoints as PyTorch writes them."""

import functools
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "fixtures"
STORAGES = {"float32": "FloatStorage", "int32": "IntStorage"}


@functools.cache
def image():
  """The input of all models, float32 [1 64 128 3]."""
  with Image.open(FOLDER / "image.png") as file:
    return np.asarray(file, np.float32)[None] / 255


@functools.cache
def arrays(name):
  with np.load(FOLDER / f"{name}.npz") as file:
    return dict(file)


def state(name):
  """The state dict of a model, as arrays."""
  packed, starts, tensors = arrays(name), {}, {}
  for key, dtype, shape in json.loads(packed["state"].item()):
    start, size = starts.get(dtype, 0), int(np.prod(shape))
    flat = packed[f"state_{dtype}"][start : start + size]
    tensors[key] = flat.reshape(shape)
    starts[dtype] = start + size
  return tensors


def updated_state(name):
  """As `state`, with the tables of a Gaussian conditional after update()."""
  buffers = arrays("gaussian")
  return {
    key: buffers[key.split(".")[-1]]
    if "gaussian_conditional" in key and key.split(".")[-1] in buffers
    else value
    for key, value in state(name).items()
  }


def write(path, content):
  """Writes what torch.save would write of a state dict of arrays."""
  storages = []
  pickled = b"\x80\x02" + _pickle(content, storages) + b"."
  path.write_bytes(archive(pickled, storages))


def archive(pickled, storages=()):
  """The bytes of a checkpoint whose object is this pickle."""
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, "w") as file:
    file.writestr("archive/data.pkl", pickled)
    for key, array in enumerate(storages):
      file.writestr(f"archive/data/{key}", array.tobytes())
    file.writestr("archive/version", b"3\n")
  return buffer.getvalue()


def _pickle(value, storages):
  if isinstance(value, str):
    text = value.encode()
    return b"X" + struct.pack("<I", len(text)) + text
  if isinstance(value, int):
    return b"J" + struct.pack("<i", value)
  if isinstance(value, tuple):
    items = [_pickle(item, storages) for item in value]
    return b"(" + b"".join(items) + b"t"
  if isinstance(value, dict):
    items = [_pickle(item, storages) for pair in value.items() for item in pair]
    return b"}(" + b"".join(items) + b"u"
  storages.append(value)
  name = f"ctorch\n{STORAGES[value.dtype.name]}\n".encode()
  key = _pickle(str(len(storages) - 1), storages)
  place = _pickle("cpu", storages) + _pickle(value.size, storages)
  storage = b"(" + _pickle("storage", storages) + name + key + place + b"tQ"
  strides = tuple(s // value.itemsize for s in value.strides)
  view = [_pickle(part, storages) for part in (0, value.shape, strides)]
  rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
  return rebuild + b"(" + storage + b"".join(view) + b"tR"
