import numpy as np
import pytest

from jaxlic.coding import range_coder, symbol_planes, tables
from jaxlic.errors import JaxlicError

TABLES = tables.make_tables(
  [
    (np.array([0.5, 0.5]), 0.0, 0),
    (np.array([0.98, 0.01, 0.01]), 0.0, -1),
    (np.array([0.01, 0.01, 0.98]), 0.0, -1),
  ]
)


def first(rows, symbols):
  assert symbols.shape[1] == 0
  return np.zeros((len(rows), 1), np.int32)


def second(rows, symbols):
  """The row that was predicted, or the one after, as the first symbol says."""
  assert symbols.shape[1] == 1
  return rows + symbols


def coded(rows, symbols):
  encoder, models = range_coder.Encoder(), range_coder.compile_tables(TABLES)
  symbol_planes.push(encoder, symbols, rows, models, (first, second))
  return encoder.finish(), models


@pytest.fixture
def positions():
  rows = np.ones((600, 2), np.int32)
  bits = np.random.default_rng(0).integers(0, 2, (600, 1))
  values = np.where(bits, 1, -1) + np.zeros((600, 2), int)
  return rows, np.concatenate([bits, values], 1).astype(np.int32)


def test_later_planes_read_their_rows_from_earlier_symbols(positions):
  rows, symbols = positions
  data, models = coded(rows, symbols)
  decoder = range_coder.Decoder(data)
  decoded = symbol_planes.pop(decoder, rows, models, (first, second))
  np.testing.assert_array_equal(decoded, symbols)
  # A bit each, and twice -log2(0.98); the coder ends within a byte or two.
  bits = 600 * (1 - 2 * np.log2(0.98))
  assert bits <= 8 * len(data) < bits + 24


def test_symbols_that_their_rows_do_not_expect_cost_more(positions):
  rows, symbols = positions
  right, _ = coded(rows, symbols)
  wrong, _ = coded(rows, symbols * np.array([[1, 0, 0]], np.int32))
  # -log2(0.01) is 6.6 bits where 0.03 are due.
  assert 8 * (len(wrong) - len(right)) > 600 * 2 * 6


def test_a_position_without_rows_is_refused(positions):
  rows, symbols = positions
  with pytest.raises(JaxlicError, match="600 positions of symbols and 599 of"):
    coded(rows[:-1], symbols)


@pytest.mark.parametrize("symbols", [2, 4])
def test_other_symbols_than_those_of_all_planes_are_refused(symbols):
  rows = np.ones((6, 2), np.int32)
  with pytest.raises(JaxlicError, match="symbol"):
    coded(rows, np.zeros((6, symbols), np.int32))
