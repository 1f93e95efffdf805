import zlib

import numpy as np
import pytest

from jaxlic.coding import range_coder, tables
from jaxlic.errors import JaxlicError
from tests.coding.exact_intervals import interval_of
from tests.coding.random_symbols import (
  INT32,
  MODELS,
  TABLES,
  entries_of,
  golden_stream,
  sample,
  with_escapes,
)

pytestmark = pytest.mark.newest


def encode(symbols, rows, models=MODELS):
  encoder = range_coder.Encoder()
  encoder.push(symbols, rows, models)
  return encoder.finish()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 400])
@pytest.mark.parametrize("source", [sample, with_escapes])
@pytest.mark.parametrize("seed", range(3))
def test_payloads_are_the_shortest_numbers_of_the_exact_interval(
  seed, source, n
):
  symbols, rows = source(seed, n)
  data = encode(symbols, rows)
  low, width, digits = interval_of(entries_of(symbols, rows))
  value = int.from_bytes(data.ljust(4 * digits, b"\0"), "big")
  assert len(data) <= 4 * digits and low <= value < low + width
  # No number of fewer bytes lies in the interval.
  unit = 256 ** (4 * digits - len(data) + 1)
  assert not data or -(-low // unit) * unit >= low + width


@pytest.mark.parametrize("source", [sample, with_escapes])
def test_symbols_come_back_from_the_shortened_payload(source):
  for seed in range(300):
    symbols, rows = source(seed, seed)
    decoded = range_coder.Decoder(encode(symbols, rows)).pop(rows, MODELS)
    np.testing.assert_array_equal(decoded, symbols)
    assert decoded.dtype == np.int32


# Bytes of this release; they change only with the format version.
@pytest.mark.parametrize(
  "n, step, golden",
  [
    (0, 99, ""),
    (1, 99, ""),
    (40, 99, "54a29529fa"),
    (40, 11, "54bffffe19a754b8f5ffffddcc51f211b8a4398814"),
  ],
)
def test_the_bytes_of_version_1_stay(n, step, golden):
  assert encode(*golden_stream(n, step)).hex() == golden


def test_the_bytes_of_a_long_stream_stay():
  data = encode(*golden_stream(100_000, 11))
  assert (len(data), zlib.crc32(data)) == (58631, 4254617087)


def test_the_payload_has_the_size_of_the_information():
  symbols, rows = sample(1, 100_000)
  entries = symbols - TABLES.offsets[rows]
  inside = (entries >= 0) & (entries < TABLES.sizes[rows] - 1)
  entries = np.where(inside, entries, TABLES.sizes[rows] - 1)
  bits = -np.log2(TABLES.frequencies[rows, entries] / 2**24).sum()
  # `range >> 24` drops at most 2**-8 of a range that is log-uniform over 32
  # octaves: 2**-8 / (32 ln 2) / ln 2 = 2.5e-4 bits a symbol at most. The rest
  # is the escapes, at most 40 bits each, and two bytes at the end.
  extra = 8 * len(encode(symbols, rows)) - bits
  assert 0 <= extra < 2.6e-4 * len(symbols) + 40 * (~inside).sum() + 16


def test_two_million_symbols_come_back():
  symbols, rows = sample(2, 2_000_000)
  decoded = range_coder.Decoder(encode(symbols, rows)).pop(rows, MODELS)
  assert (decoded == symbols).all()


@pytest.mark.parametrize("row", [0, 15])
def test_every_int32_can_escape(row):
  near = np.arange(-300, 300)
  powers = 2 ** np.arange(31)
  ends = np.array([INT32.min, INT32.min + 1, INT32.max - 1, INT32.max])
  symbols = np.concatenate([near, powers, -powers, ends]).astype(np.int32)
  rows = np.full(len(symbols), row, np.int32)
  decoded = range_coder.Decoder(encode(symbols, rows)).pop(rows, MODELS)
  np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("offset", [-(2**30), 2**30])
def test_every_int32_can_escape_a_far_table(offset):
  models = range_coder.compile_tables(
    tables.make_tables([(np.ones(7), 0.0, offset)])
  )
  ends = np.array([INT32.min, -1, 0, 1, INT32.max])
  near = np.arange(offset - 9, offset + 16)
  symbols = np.concatenate([ends, near]).astype(np.int32)
  rows = np.zeros(len(symbols), np.int32)
  data = encode(symbols, rows, models)
  decoded = range_coder.Decoder(data).pop(rows, models)
  np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("count", [300, 70_000])
def test_tables_of_many_rows_work(count):
  f = np.tile(np.array([[2**24 - 9, 4, 5]], np.uint32), (count, 1))
  sizes, offsets = np.full((2, count), 3, np.int32)
  models = range_coder.compile_tables(tables.Tables(f, sizes, offsets))
  rows = np.random.default_rng(0).integers(0, count, 50, dtype=np.int32)
  symbols = rows % 5
  data = encode(symbols, rows, models)
  decoded = range_coder.Decoder(data).pop(rows, models)
  np.testing.assert_array_equal(decoded, symbols)
  # Rows that no symbol needs cost nothing.
  assert sum(m is not None for m in models.cache) == len(np.unique(rows))


def test_pushes_come_back_in_order():
  pushes = [with_escapes(seed, n) for seed, n in enumerate([5, 0, 1, 700, 1])]
  encoder = range_coder.Encoder()
  for symbols, rows in pushes:
    encoder.push(symbols, rows, MODELS)
  decoder = range_coder.Decoder(encoder.finish())
  for symbols, rows in pushes:
    np.testing.assert_array_equal(decoder.pop(rows, MODELS), symbols)


def test_finish_leaves_the_encoder_usable():
  (a, a_rows), (b, b_rows) = sample(0, 50), sample(1, 50)
  encoder = range_coder.Encoder()
  encoder.push(a, a_rows, MODELS)
  assert encoder.finish() == encode(a, a_rows)
  encoder.push(b, b_rows, MODELS)
  decoder = range_coder.Decoder(encoder.finish())
  np.testing.assert_array_equal(decoder.pop(a_rows, MODELS), a)
  np.testing.assert_array_equal(decoder.pop(b_rows, MODELS), b)


def test_damage_gives_other_symbols_or_a_jaxlic_error():
  symbols, rows = with_escapes(3, 500)
  data = encode(symbols, rows)
  expected = range_coder.check([symbols])
  rng = np.random.default_rng(3)
  for _ in range(1000):
    changed = bytearray(data)
    changed[rng.integers(len(data))] ^= rng.integers(1, 256)
    try:
      decoded = range_coder.Decoder(bytes(changed)).pop(rows, MODELS)
    except JaxlicError as error:
      assert "the payload is damaged" in str(error)
    else:
      assert decoded.shape == symbols.shape
      # 16 bits miss one damage in 65,536; the seed is one without.
      assert range_coder.check([decoded]) != expected


def test_garbage_never_crashes():
  _, rows = sample(4, 500)
  rng = np.random.default_rng(4)
  for length in range(300):
    for garbage in (rng.bytes(length), b"\xff" * length):
      try:
        range_coder.Decoder(garbage).pop(rows, MODELS)
      except JaxlicError as error:
        assert "the payload is damaged" in str(error)


def test_a_number_beyond_the_range_is_refused():
  # 2**64 - 1 is the one first tail that no interval holds.
  with pytest.raises(JaxlicError, match="its number is outside"):
    range_coder.Decoder(b"\xff" * 8).pop(np.zeros(1, np.int32), MODELS)


@pytest.mark.parametrize("row", [-1, 16])
def test_a_row_outside_the_tables_is_refused(row):
  rows = np.array([row, 3], np.int32)
  with pytest.raises(JaxlicError, match=r"rows are within 0\.\.15"):
    encode(np.zeros(2, np.int32), rows)
  with pytest.raises(JaxlicError, match=r"rows are within 0\.\.15"):
    range_coder.Decoder(b"").pop(rows, MODELS)


def test_symbols_of_another_type_are_refused():
  with pytest.raises(JaxlicError, match="symbols are int32, got int64"):
    encode(np.zeros(2, np.int64), np.zeros(2, np.int32))


def test_invalid_tables_are_refused():
  with pytest.raises(JaxlicError, match="a sum of"):
    range_coder.compile_tables(
      TABLES._replace(frequencies=TABLES.frequencies * np.uint32(2))
    )


def test_the_check_depends_on_values_and_order_but_not_on_the_cut():
  a = np.arange(-500, 500, dtype=np.int32).reshape(10, 100)
  # CRC-32 of the little-endian bytes.
  crc = zlib.crc32(a.astype("<i4").tobytes())
  assert range_coder.check([a]) == crc
  assert range_coder.check([a[:3], a[3:]]) == range_coder.check([a])
  assert range_coder.check([a[3:], a[:3]]) != range_coder.check([a])
  assert range_coder.check([a.T]) != range_coder.check([a])
  assert range_coder.check([]) == 0


@pytest.mark.parametrize(
  ("check", "folded"),
  [
    (0, 0),
    (0xFFFF, 0xFFFF),
    (0xDEADABCD, 0x7560),
    (2**32 - 1, 0),
    (1 << 16, 1),
  ],
)
def test_a_check_folds_to_16_bits_and_no_further(check, folded):
  assert range_coder.fold(check) == folded
  assert range_coder.fold(folded) == folded


def test_rows_of_two_indices_number_a_square():
  rng = np.random.default_rng(3)
  rows = [(rng.uniform(0.1, 1, 5), 0.01, -2) for _ in range(9)]
  models = range_coder.compile_tables(tables.make_tables(rows))
  pairs = rng.integers(0, 3, (500, 2))
  symbols = rng.integers(-2, 3, 500).astype(np.int32)
  encoder, single = range_coder.Encoder(), range_coder.Encoder()
  encoder.push(symbols, pairs, models)
  single.push(symbols, 3 * pairs[:, 0] + pairs[:, 1], models)
  assert encoder.finish() == single.finish()


def test_rows_of_indices_that_the_tables_lack_are_refused():
  row = (np.ones(2), 0.1, 0)
  symbols = np.zeros(1, np.int32)
  square = range_coder.compile_tables(tables.make_tables([row] * 4))
  with pytest.raises(JaxlicError, match="within 0..1, the rows .* got 0..2"):
    range_coder.Encoder().push(symbols, np.array([[0, 2]]), square)
  line = range_coder.compile_tables(tables.make_tables([row] * 3))
  with pytest.raises(JaxlicError, match="tables of as many equal dimensions"):
    range_coder.Encoder().push(symbols, np.array([[0, 1]]), line)


PUSHED = [
  ([(10,), (9,)], "10 symbols and 9 rows"),
  ([(9,), (10,)], "9 symbols and 10 rows"),
  ([(10,), (0,)], "10 symbols and 0 rows"),
  ([(2, 5), (10,)], r"one axis, got int32 \[2, 5\]; ravel"),
  ([(), (1,)], r"one axis, got int32 \[\]"),
  ([(10,), (2, 5)], "10 symbols and 2 rows"),
  ([(4,), (4, 1, 1)], r"\[n\] or \[n k\].*, got int32 \[4, 1, 1\]"),
]


@pytest.mark.parametrize(("shapes", "match"), PUSHED)
def test_symbols_and_rows_that_do_not_match_are_refused(shapes, match):
  symbols, rows = (np.zeros(shape, np.int32) for shape in shapes)
  with pytest.raises(JaxlicError, match=match):
    encode(symbols, rows)


def test_what_is_refused_codes_nothing():
  encoder = range_coder.Encoder()
  with pytest.raises(JaxlicError, match="every symbol has a row"):
    encoder.push(np.ones(10, np.int32), np.zeros(9, np.int32), MODELS)
  assert encoder.finish() == b""


@pytest.mark.parametrize(
  ("rows", "match"),
  [
    (np.zeros(4), "got float64"),
    (np.zeros(4, bool), "got bool"),
    ([0, 0, 0, 0], "got list"),
    (None, "got NoneType"),
    (np.int32(0), "got int32"),
  ],
)
def test_rows_that_are_no_integers_are_refused_by_both_sides(rows, match):
  with pytest.raises(JaxlicError, match=match):
    encode(np.zeros(4, np.int32), rows)
  with pytest.raises(JaxlicError, match=match):
    range_coder.Decoder(b"").pop(rows, MODELS)


def test_symbols_that_are_no_array_are_refused():
  with pytest.raises(JaxlicError, match="got list; round and convert"):
    encode([0, 0], np.zeros(2, np.int32))
