import io
import os
import pickle
import struct
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.compressai import torch_files
from jaxlic.errors import JaxlicError
from tests.compressai import fixture_files
from tests.compressai.fixture_files import FOLDER, archive

FORMATS = ["", "-legacy"]
# The pickles before the object in a legacy file.
MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
HEAD = MAGIC + b"\x80\x02M\xe9\x03." + b"\x80\x02}."


class Malicious:
  """Runs a command when it is unpickled."""

  def __init__(self, command):
    self.command = command

  def __reduce__(self):
    return os.system, (self.command,)


@pytest.fixture
def refused(tmp_path):
  """Reads bytes that are no sound checkpoint; returns the one line."""

  def refused(data):
    path = tmp_path / "in.pth"
    path.write_bytes(data)
    with pytest.raises(JaxlicError) as caught:
      torch_files.read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    assert len(line) < len(str(path)) + 200
    return line

  return refused


def tensor(offset=b"K\x00", shape=b"K\x02\x85", strides=b"K\x01\x85", count=4):
  """A pickle of {"a": a view of one storage}."""
  storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000"
  storage += b"X\x03\0\0\0cpu" + b"\x8a\x08" + struct.pack("<q", count) + b"tQ"
  view = storage + offset + shape + strides
  call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tR"
  return b"\x80\x02}X\x01\0\0\0a" + call + b"s."


STORAGE = np.arange(4, dtype=np.float32)

# What is read.


@pytest.mark.parametrize("form", FORMATS)
def test_every_type_and_view_is_read(form):
  # make_fixtures.py: the integers from 0 to 23.
  arrays = torch_files.read(FOLDER / f"views{form}.pth")
  line, grid = np.arange(24), np.arange(24).reshape(2, 3, 4)
  expected = {
    "bfloat16": line.astype(jnp.bfloat16),
    "bool": line % 3 == 0,
    "parameter": line.astype(np.float32),
    "scalar": np.float32(23),
    "empty": np.zeros((0, 3), np.float32),
    "transposed": grid.transpose(2, 0, 1).astype(np.float32),
    "part": grid[1, 1:, ::2].astype(np.float32),
  }
  for name in "float64 float32 float16 int64 int32 int16 int8 uint8".split():
    expected[name] = line.astype(name)
  assert set(arrays) == set(expected)
  for name, array in expected.items():
    assert arrays[name].dtype == array.dtype, name
    np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_a_trainings_weights_are_found_in_both_formats():
  weights, legacy = (
    torch_files.read(FOLDER / f"training{form}.pth") for form in FORMATS
  )
  assert weights["g_a.6.weight"].shape == (3, 2, 5, 5)
  assert "entropy_bottleneck.quantiles" in weights and "epoch" not in weights
  assert list(weights) == list(legacy)
  for name, array in weights.items():
    np.testing.assert_array_equal(array, legacy[name], strict=True)


def test_the_archives_of_these_tests_are_read(tmp_path):
  # An archive as the tests write it, against arrays of any shape.
  state = fixture_files.state("bmshj2018-factorized")
  fixture_files.write(tmp_path / "in.pth", state)
  weights = torch_files.read(tmp_path / "in.pth")
  assert list(weights) == list(state)
  for name, array in weights.items():
    np.testing.assert_array_equal(array, state[name], strict=True)


def test_big_endian_values_are_read(tmp_path):
  path = tmp_path / "in.pth"
  path.write_bytes(archive(tensor(), [STORAGE.astype(">f4")]))
  with zipfile.ZipFile(path, "a") as file:
    file.writestr("archive/byteorder", b"big")
  np.testing.assert_array_equal(torch_files.read(path)["a"], [0.0, 1.0])


# What is refused.


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize("place", ["zip", "magic", "object"])
def test_a_program_is_refused_and_not_run(refused, tmp_path, protocol, place):
  witness = tmp_path / "witness"
  content = {"state_dict": {"a": Malicious(f"touch {witness}")}}
  program = pickle.dumps(content, protocol)
  data = {"zip": archive(program), "magic": program, "object": HEAD + program}
  line = refused(data[place])
  if protocol > 1:  # Before, strings have an instruction of their own.
    assert "does not ask for 'posix.system'" in line
    assert "torch.save(model.state_dict(), PATH)" in line
  assert not witness.exists()
  with open(tmp_path / "in.pickle", "wb") as file:
    file.write(program)
  pickle.loads(program)
  assert witness.exists()


@pytest.mark.parametrize(
  "name",
  [
    b"cbuiltins\neval\n",
    b"ctorch\nload\n",
    b"ccompressai.models.google\nFactorizedPrior\n",
    b"ctorch._utils\n_rebuild_qtensor\n",
    b"X\x08\0\0\0builtinsX\x04\0\0\0exec\x93",
    b"X\x02\0\0\0\xc3\xa9X\x03\0\0\0\xe2\x80\xae\x93",
  ],
)
def test_other_names_are_refused(refused, name):
  assert "does not ask for '" in refused(archive(b"\x80\x02" + name + b"."))


@pytest.mark.parametrize(
  "pickled",
  [
    tensor(count=5),
    tensor(count=2**60),
    tensor(count=2**63 - 1),
    tensor(offset=b"K\x03"),
    tensor(offset=b"J\xff\xff\xff\xff"),
    tensor(strides=b"K\x04\x85"),
    tensor(strides=b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85"),
    tensor(strides=b"J\xff\xff\xff\xff\x85"),
    tensor(strides=b")"),
    tensor(shape=b"J\xff\xff\xff\x7f\x85", strides=b"K\x00\x85"),
    tensor(shape=b"G" + struct.pack(">d", 2.0) + b"\x85"),
    tensor(
      shape=b"(" + b"K\x01" * 40 + b"t", strides=b"(" + b"K\x01" * 40 + b"t"
    ),
    tensor()[:-1] + b"r\xff\xff\xff\x7f0.",
    tensor()[:-2] + b"u.",
    tensor()[:-1] + b"h\x05.",
    tensor()[:-2] + b".",
    b"\x80\x02.",
    b"\x80\x02}" + b")" + b"\x85" * 50_000 + b"K\x00s.",
    b"\x80\x02\x8e" + b"\xff" * 7 + b"\x7f.",
    b"\x80\x02ctorch\nFloatStorage\n)R.",
    b"\x80\x02ctorch.\nSize\n)R.",
    b"",
  ],
)
def test_what_does_not_hold_together_is_refused(refused, pickled):
  # Sizes, offsets, strides and numbers in memory that nothing could hold; many
  # tuples in one another as a key; instructions without what they need.
  refused(archive(pickled, [STORAGE]))


def test_a_bomb_is_refused(refused):
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
    file.writestr("archive/data.pkl", tensor(count=10**7))
    file.writestr("archive/data/0", bytes(4 * 10**7))
  assert "members are larger" in refused(buffer.getvalue())


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_file_is_refused(refused, form):
  data = (FOLDER / f"training{form}.pth").read_bytes()
  for end in np.linspace(0, len(data) - 1, 30).astype(int).tolist():
    refused(data[:end])


@pytest.mark.parametrize("form", FORMATS)
def test_flipped_bits_are_refused_or_change_values_alone(tmp_path, form):
  whole = (FOLDER / f"views{form}.pth").read_bytes()
  names = set(torch_files.read(FOLDER / f"views{form}.pth"))
  rng = np.random.default_rng(0)
  for place in rng.integers(8 * len(whole), size=100).tolist():
    damaged = bytearray(whole)
    damaged[place // 8] ^= 1 << place % 8
    (tmp_path / "in.pth").write_bytes(damaged)
    try:
      arrays = torch_files.read(tmp_path / "in.pth")
    except JaxlicError as error:
      assert "\n" not in str(error)
      continue
    assert len(set(arrays) - names) <= 2
    assert sum(array.nbytes for array in arrays.values()) < len(whole)


def test_what_is_no_checkpoint_is_refused(refused, tmp_path):
  for data in (b"", b"text\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes(999)):
    assert "cannot be read as a PyTorch checkpoint" in refused(data)
  with pytest.raises(JaxlicError, match="cannot read .No such file.*; check"):
    torch_files.read(tmp_path / "missing.pth")
  with pytest.raises(JaxlicError, match="cannot read .Is a directory"):
    torch_files.read(tmp_path)


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, {"a": 1}, "text"])
def test_a_checkpoint_without_weights_is_refused(refused, content):
  line = refused(archive(pickle.dumps(content, 2)))
  assert "maps names to tensors" in line and "model.state_dict()" in line
