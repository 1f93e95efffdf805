import numpy as np
import pytest

from jaxlic.coding import range_coder, row_corrections
from jaxlic.errors import JaxlicError


def _sent(rows, near_edge):
  encoder = range_coder.Encoder()
  row_corrections.push(encoder, rows, near_edge)
  return encoder.finish()


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.01, 1.0])
def test_a_decoder_that_is_off_by_one_gets_the_rows_of_the_encoder(share):
  rng = np.random.default_rng(0)
  rows = rng.integers(0, 64, 20_000).astype(np.int32)
  near_edge = rng.random(rows.size) < share
  off = rng.integers(-1, 2, rows.size).astype(np.int32)
  data = _sent(rows, near_edge)
  corrected = row_corrections.correct(
    np.where(near_edge, rows + off, rows),
    row_corrections.pop(range_coder.Decoder(data), rows.shape),
  )
  np.testing.assert_array_equal(corrected, rows)


def test_nothing_to_tell_costs_three_bits():
  assert len(_sent(np.zeros(1000, np.int32), np.zeros(1000, bool))) <= 1


def test_a_row_to_tell_costs_about_its_place_and_a_residue():
  # 25 of 250,000: log2(10,000) + 1.44 + log2(3) = 16.3 bits each, and less
  # than 2 bits more for the gaps' fixed code.
  near_edge = np.zeros(250_000, bool)
  places = np.random.default_rng(1).choice(near_edge.size, 25, replace=False)
  near_edge[places] = True
  size = len(_sent(np.zeros(near_edge.size, np.int32), near_edge))
  assert 8 * size < 25 * (16.3 + 2)


def test_a_row_of_several_integers_is_corrected_in_each():
  rng = np.random.default_rng(2)
  rows = rng.integers(-900, 900, (50_000, 9)).astype(np.int32)
  near_edge = rng.random(rows.shape) < 1e-4
  off = rng.integers(-1, 2, rows.shape).astype(np.int32)
  data = _sent(rows, near_edge)
  # log2(10,000) + 1.44 + log2(3) = 16.3 bits each are needed, and the fixed
  # codes of gaps, made for longer ones, and of the count take 2 bits more.
  assert 8 * len(data) < (16.3 + 2) * near_edge.sum()
  corrected = row_corrections.correct(
    np.where(near_edge, rows + off, rows),
    row_corrections.pop(range_coder.Decoder(data), rows.shape),
  )
  np.testing.assert_array_equal(corrected, rows)


def test_a_list_that_does_not_fit_is_refused():
  near_edge = np.zeros(100, bool)
  near_edge[99] = True
  data = _sent(np.zeros(100, np.int32), near_edge)
  with pytest.raises(JaxlicError, match="damaged: it corrects row 99 of 50"):
    row_corrections.pop(range_coder.Decoder(data), (50,))


def test_parts_of_a_list_are_corrected_as_the_whole():
  rng = np.random.default_rng(2)
  rows = rng.integers(0, 64, 1000).astype(np.int32)
  near_edge = rng.random(rows.size) < 0.1
  off = np.where(near_edge, rows + rng.integers(-1, 2, rows.size), rows)
  sent = row_corrections.pop(
    range_coder.Decoder(_sent(rows, near_edge)), rows.shape
  )
  starts = [0, 1, 400, 999]
  parts = np.split(off.astype(np.int32), starts[1:])
  corrected = [
    row_corrections.correct(part, sent, start)
    for part, start in zip(parts, starts, strict=True)
  ]
  np.testing.assert_array_equal(np.concatenate(corrected), rows)


@pytest.mark.parametrize("gaps", [[0, 900, -899, 0], [-1, 2]])
def test_places_that_do_not_ascend_are_refused(gaps):
  # An encoder's gaps are never negative, but escapes can say such ones: a part
  # of the list would be searched for places that lie outside it.
  encoder = range_coder.Encoder()
  for values, unit, low_row in (
    ([len(gaps)], row_corrections._COUNT_UNIT, row_corrections._COUNT_LOW),
    (gaps, row_corrections._GAP_UNIT, row_corrections._GAP_LOW),
  ):
    row_corrections._push_split(encoder, np.array(values), unit, low_row)
  decoder = range_coder.Decoder(encoder.finish())
  with pytest.raises(JaxlicError, match="rows do not ascend"):
    row_corrections.pop(decoder, (1000,))


@pytest.mark.parametrize("shape", [(9,), (11,), (10, 1)])
def test_edges_of_other_rows_are_refused(shape):
  with pytest.raises(JaxlicError, match="of every row it is told"):
    _sent(np.zeros(10, np.int32), np.zeros(shape, bool))
