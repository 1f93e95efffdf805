import zlib

import numpy as np
import pytest

from jaxlic.coding import ans_coder, range_coder, row_corrections
from jaxlic.errors import JaxlicError
from tests.coding import documented_mixtures, random_mixtures
from tests.coding.exact_states import entries_from, payload_of
from tests.coding.random_symbols import (
  INT32,
  MODELS,
  entries_of,
  golden_stream,
  sample,
  with_escapes,
)

pytestmark = pytest.mark.newest


def encode(symbols, rows, models=MODELS):
  encoder = ans_coder.Encoder()
  encoder.push(symbols, rows, models)
  return encoder.finish()


def decode(data, rows, models=MODELS):
  return ans_coder.Decoder(data).pop(rows, models)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 400])
@pytest.mark.parametrize("source", [sample, with_escapes])
@pytest.mark.parametrize("seed", range(3))
def test_payloads_are_those_of_the_documented_arithmetic(seed, source, n):
  symbols, rows = source(seed, n)
  pairs = entries_of(symbols, rows)
  data = encode(symbols, rows)
  assert data == payload_of(pairs)
  entries, done = entries_from(data, [f for f, _ in pairs])
  assert entries == [entry for _, entry in pairs] and done


def test_mixtures_are_coded_by_the_documented_integers():
  rows = random_mixtures.random_rows(0, 60)
  middle = [documented_mixtures.Documented(row) for row in rows.tolist()]
  rng = np.random.default_rng(2)
  symbols = [d.low + rng.integers(d.bins * d.step) for d in middle]
  symbols = np.array(symbols, np.int32)
  data = encode(symbols, rows, random_mixtures.MODELS)
  assert data == payload_of(documented_mixtures.entries_of(symbols, rows))


@pytest.mark.parametrize("source", [sample, with_escapes])
def test_symbols_come_back(source):
  for seed in range(100):
    symbols, rows = source(seed, seed)
    decoded = decode(encode(symbols, rows), rows)
    np.testing.assert_array_equal(decoded, symbols)
    assert decoded.dtype == np.int32


def test_symbols_of_mixtures_come_back():
  rows = random_mixtures.wild_rows(3, 500)
  symbols = random_mixtures.draw(4, rows)
  data = encode(symbols, rows, random_mixtures.MODELS)
  decoded = decode(data, rows, random_mixtures.MODELS)
  np.testing.assert_array_equal(decoded, symbols)


def test_every_int32_can_escape():
  powers = 2 ** np.arange(31)
  ends = np.array([INT32.min, INT32.min + 1, INT32.max - 1, INT32.max])
  symbols = np.concatenate([powers, -powers, ends]).astype(np.int32)
  rows = np.full(len(symbols), 15, np.int32)
  np.testing.assert_array_equal(decode(encode(symbols, rows), rows), symbols)


# Bytes of this release, equal to those of the documented arithmetic.
@pytest.mark.parametrize(
  "n, step, golden",
  [
    (0, 99, ""),
    (1, 99, ""),
    (2, 99, "01000000"),
    (40, 99, "2a54a295000000"),
    (40, 11, "1bd683953ffffc4a00b01997b5578ab0fe955a72b3fa00"),
  ],
)
def test_the_bytes_stay(n, step, golden):
  symbols, rows, models = golden_stream(n, step)
  assert encode(symbols, rows, models).hex() == golden
  pairs = entries_of(symbols, rows, models.tables)
  assert payload_of(pairs).hex() == golden


def test_the_bytes_of_a_long_stream_stay():
  data = encode(*golden_stream(100_000, 11))
  assert (len(data), zlib.crc32(data)) == (58631, 1520324626)


def test_payloads_are_as_long_as_the_range_coder_s():
  symbols, rows = sample(1, 100_000)
  encoder = range_coder.Encoder()
  encoder.push(symbols, rows, MODELS)
  # That one spends up to 2.5e-4 bits a symbol on its dropped remainders, which
  # are 26 bytes here; this one 2**-8 of that, and a word at its end.
  data = encode(symbols, rows)
  assert -32 <= len(data) - len(encoder.finish()) <= 4


def test_pushes_of_several_kinds_come_back_in_order():
  (a, a_rows), (b, b_rows) = with_escapes(0, 300), sample(1, 1)
  mixed_rows = random_mixtures.random_rows(2, 50)
  mixed = random_mixtures.draw(3, mixed_rows)
  near_edge = np.arange(300) % 50 == 7
  encoder = ans_coder.Encoder()
  row_corrections.push(encoder, a_rows, near_edge)
  encoder.push(a, a_rows, MODELS)
  encoder.push(mixed, mixed_rows, random_mixtures.MODELS)
  encoder.push(b, b_rows, MODELS)
  decoder = ans_coder.Decoder(encoder.finish())
  corrections = row_corrections.pop(decoder, a_rows.shape)
  np.testing.assert_array_equal(corrections.places, np.flatnonzero(near_edge))
  np.testing.assert_array_equal(decoder.pop(a_rows, MODELS), a)
  decoded = decoder.pop(mixed_rows, random_mixtures.MODELS)
  np.testing.assert_array_equal(decoded, mixed)
  np.testing.assert_array_equal(decoder.pop(b_rows, MODELS), b)


def test_finish_leaves_the_encoder_usable():
  (a, a_rows), (b, b_rows) = sample(0, 50), sample(1, 50)
  encoder = ans_coder.Encoder()
  encoder.push(a, a_rows, MODELS)
  assert encoder.finish() == encode(a, a_rows)
  encoder.push(b, b_rows, MODELS)
  decoder = ans_coder.Decoder(encoder.finish())
  np.testing.assert_array_equal(decoder.pop(a_rows, MODELS), a)
  np.testing.assert_array_equal(decoder.pop(b_rows, MODELS), b)


def test_what_is_refused_codes_nothing():
  encoder = ans_coder.Encoder()
  with pytest.raises(JaxlicError, match="every symbol has a row"):
    encoder.push(np.ones(10, np.int32), np.zeros(9, np.int32), MODELS)
  assert encoder.finish() == b""


def test_damage_gives_symbols_or_a_jaxlic_error():
  symbols, rows = with_escapes(3, 500)
  data = encode(symbols, rows)
  rng = np.random.default_rng(3)
  for _ in range(1000):
    changed = bytearray(data)
    changed[rng.integers(len(data))] ^= rng.integers(1, 256)
    try:
      decoded = decode(bytes(changed), rows)
    except JaxlicError as error:
      assert "the payload is damaged" in str(error)
    else:
      assert decoded.shape == symbols.shape


def test_garbage_never_crashes():
  _, rows = sample(4, 500)
  rng = np.random.default_rng(4)
  for length in range(300):
    for garbage in (rng.bytes(length), b"\xff" * length, b"\0" * length):
      try:
        decode(garbage, rows)
      except JaxlicError as error:
        assert "the payload is damaged" in str(error)
