import numpy as np
import pytest

from jaxlic.coding import tables as integer_tables
from jaxlic.compressai import names, tables
from jaxlic.errors import JaxlicError
from tests.compressai import fixture_files

NAMES = sorted(
  path.stem
  for path in fixture_files.FOLDER.glob("*.npz")
  if path.stem != "gaussian"
)


def bottleneck_of(name):
  """The weights and buffers of a model's entropy bottleneck, by name."""
  weights = names.canonical(fixture_files.state(name))
  return {
    key.split(".")[-1]: array
    for key, array in weights.items()
    if "entropy_bottleneck." in key
  }


def valid():
  return {
    "_quantized_cdf": np.array([[0, 9, 2**16, 0], [0, 1, 2, 2**16]], np.int32),
    "_cdf_length": np.array([3, 4], np.int32),
    "_offset": np.array([-1, 5], np.int32),
  }


def test_all_architectures_have_a_fixture():
  assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_a_bottleneck_gets_the_tables_of_update(name):
  theirs = bottleneck_of(name)
  ours = tables.write(tables.bottleneck(theirs))
  for buffer in tables.BUFFERS:
    np.testing.assert_array_equal(ours[buffer], theirs[buffer], strict=True)


def test_the_gaussian_gets_the_tables_of_update():
  expected = fixture_files.arrays("gaussian")
  np.testing.assert_array_equal(tables.scale_ladder(), expected["scale_table"])
  ours = tables.write(tables.gaussian())
  for buffer in tables.BUFFERS:
    np.testing.assert_array_equal(ours[buffer], expected[buffer], strict=True)


@pytest.mark.parametrize(
  ("scale", "offset", "cdf"),
  [
    # The official module's, release 1.2.8.
    (0.11, -1, [0, 1, 65534, 65535, 65536]),
    (
      0.5,
      -4,
      [0, 1, 2, 86, 10395, 55136, 65445, 65533, 65534, 65535, 65536],
    ),
    (
      1.0,
      -7,
      [0, 1, 2, 3, 12, 404, 4375, 20217, 45312, 61154, 65125, 65517, 65532]
      + [65533, 65534, 65535, 65536],
    ),
  ],
)
def test_a_scale_gets_its_known_row(scale, offset, cdf):
  buffers = tables.write(tables.gaussian(np.array([scale], np.float32)))
  assert buffers["_quantized_cdf"].tolist() == [cdf]
  assert buffers["_offset"].tolist() == [offset]
  assert buffers["_cdf_length"].tolist() == [len(cdf)]


def test_one_count_of_theirs_is_256_of_ours():
  ours = tables.read(valid())
  expected = 256 * np.array([[9, 65527, 0], [1, 1, 65534]])
  np.testing.assert_array_equal(ours.frequencies, expected)
  assert ours.sizes.tolist() == [2, 3] and ours.offsets.tolist() == [-1, 5]
  integer_tables.validate(ours)
  for buffer, array in tables.write(ours).items():
    np.testing.assert_array_equal(array, valid()[buffer], strict=True)


def test_our_own_tables_cannot_be_written():
  ours = integer_tables.make_tables([(np.array([0.3, 0.7]), 0.1, 0)])
  with pytest.raises(JaxlicError, match="multiples of 256, got .* in row 0"):
    tables.write(ours)


@pytest.mark.parametrize(
  ("buffer", "place", "value"),
  [
    ("_quantized_cdf", (0, 0), 1),
    ("_quantized_cdf", (0, 1), 0),
    ("_quantized_cdf", (0, 2), 2**16 - 1),
    ("_quantized_cdf", (1, 2), 1),
    ("_quantized_cdf", (1, 2), -5),
    ("_quantized_cdf", (1, 1), 2**31 - 1),
    ("_cdf_length", (0,), 2),
    ("_cdf_length", (0,), 5),
    ("_cdf_length", (1,), -(2**31)),
  ],
)
def test_rows_that_do_not_rise_are_refused(buffer, place, value):
  arrays, row = valid(), place[0]
  arrays[buffer][place] = value
  with pytest.raises(JaxlicError, match=f"row {row} does not; import without"):
    tables.read(arrays)


@pytest.mark.parametrize(
  "changed",
  [
    {"_quantized_cdf": np.zeros((2, 4), np.float32)},
    {"_quantized_cdf": np.zeros(4, np.int32)},
    {"_cdf_length": np.zeros((2, 1), np.int32)},
    {"_offset": np.zeros(3, np.int32)},
  ],
)
def test_buffers_of_other_shapes_are_refused(changed):
  with pytest.raises(JaxlicError, match=r"\[rows, width\], \[rows\] and"):
    tables.read(valid() | changed)


def test_a_missing_buffer_is_named():
  arrays = valid()
  del arrays["_offset"]
  with pytest.raises(JaxlicError, match="_offset is missing"):
    tables.read(arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_quantiles_too_far_apart_are_refused(value):
  weights = bottleneck_of("bmshj2018-factorized")
  quantiles = weights["quantiles"].copy()
  quantiles[3, 0, 2] = value
  with pytest.raises(JaxlicError, match="less than 16384 apart, got up to"):
    tables.bottleneck(weights | {"quantiles": quantiles})
