import math

import numpy as np
import pytest

from jaxlic.coding import mixture_tables, mixtures, range_coder
from jaxlic.errors import JaxlicError
from tests.coding.test_range_coder import interval_of

SCALES = np.exp(np.linspace(math.log(0.11), math.log(256), 64))
TABLES = mixture_tables.make(SCALES.tolist())
MODELS = range_coder.compile_tables(TABLES)
INT32 = np.iinfo(np.int32)
CLASSES = [(4, 1), (8, 1), (16, 1), (32, 1), (16, 4), (16, 16), (32, 32)]
CLASSES.append((64, 64))


def random_rows(seed, n, k=3, top=63):
  """Rows of scales up to `top`, and means some scales apart."""
  rng = np.random.default_rng(seed)
  scales = rng.integers(0, top, (n, 1), endpoint=True)
  scales = np.clip(scales + rng.integers(-4, 5, (n, k)), 0, 63)
  means = rng.normal(size=(n, k)) * SCALES[scales] * 2 + rng.normal(size=(n, 1))
  weights = rng.integers(0, 97, (n, k))
  weights[np.arange(n), rng.integers(0, k, n)] = 96
  rows = np.concatenate([np.rint(64 * means), scales, weights], 1)
  return rows.astype(np.int32)


def wild_rows(seed, n, k=3):
  """Rows of any integers that are allowed."""
  rng = np.random.default_rng(seed)
  means = rng.integers(-(2**21), 2**21, (n, k), endpoint=True)
  means >>= rng.integers(0, 21, (n, k))
  scales = rng.choice([0, 1, 20, 40, 62, 63], (n, k))
  weights = rng.choice([0, 4, 50, 96], (n, k))
  weights[:, -1] = 96
  return np.concatenate([means, scales, weights], 1).astype(np.int32)


def draw(seed, rows):
  """Symbols of the mixtures; a tenth of them is anything."""
  rng = np.random.default_rng(seed)
  n, k = len(rows), rows.shape[1] // 3
  weights = TABLES.weights[rows[:, 2 * k :]].astype(float).cumsum(1)
  chosen = (rng.random((n, 1)) * weights[:, -1:] > weights).sum(1)
  which = np.arange(n), chosen
  mean, scale = rows[:, :k][which] / 64, SCALES[rows[:, k : 2 * k][which]]
  symbols = np.rint(mean + scale * rng.normal(size=n)).astype(np.int64)
  wild = rng.integers(INT32.min, INT32.max, n, endpoint=True)
  wild >>= rng.integers(0, 32, n)
  return np.where(rng.random(n) < 0.1, wild, symbols).astype(np.int32)


def encode(symbols, rows, models=MODELS):
  encoder = range_coder.Encoder()
  encoder.push(symbols, rows, models)
  return encoder.finish()


def decode(data, rows, models=MODELS):
  return range_coder.Decoder(data).pop(rows, models)


class Documented:
  """One mixture's distribution in Python's integers, from the documents."""

  def __init__(self, row):
    k = len(row) // 3
    means, scales, weights = row[:k], row[k : 2 * k], row[2 * k :]
    self.scales = [int(TABLES.reciprocals[s]) for s in scales]
    self.means = []
    for mean, scale in zip(means, scales, strict=True):
      whole, phase = divmod(mean + 32, 64)
      centre = int(TABLES.centres[scale, phase])
      self.means.append(4096 * whole + centre)
    weights = [int(TABLES.weights[w]) for w in weights]
    self.weights = [2**24 * w // sum(weights) for w in weights]
    heaviest = weights.index(max(weights))
    self.weights[heaviest] += 2**24 - sum(self.weights)
    low, high = [], []
    for mean, scale, weight in self.components():
      if weight:
        low.append((mean - 5 * 2**36 // scale + 2048) // 4096)
        high.append((mean + 5 * 2**36 // scale + 2048) // 4096)
    width = max(high) - min(low) + 1
    fitting = [i for i, (n, m) in enumerate(CLASSES) if n * m >= width]
    self.group = fitting[0] if fitting else 7
    self.bins, self.step = CLASSES[self.group]
    size = self.bins * self.step
    self.low = min(low) - (size - width) // 2
    if not fitting:
      self.low = (self.means[heaviest] + 2048) // 4096 - size // 2

  def components(self):
    return zip(self.means, self.scales, self.weights, strict=True)

  def below(self, symbol):
    """C at the symbol's lower edge."""
    total = 0
    for mean, scale, weight in self.components():
      # Entries of the table, 2^12 places each.
      place = (4096 * symbol - 2048 - mean) * scale * 256 >> 24
      place = min(max(place + (1536 << 12), 0), (3072 << 12) - 1)
      a, b = (int(v) for v in TABLES.cdf[place >> 12 :][:2])
      total += weight * (a + ((b - a) * (place % 4096) >> 12))
    return total >> 16

  def bin_frequencies(self):
    start, n = self.below(self.low), self.bins
    edges = [self.low + j * self.step for j in range(n + 1)]
    ends = [self.below(e) - start for e in edges]
    ends = [(e * (2**24 - n - 1) >> 38) + j for j, e in enumerate(ends)]
    return np.diff([*ends, 2**24]).tolist()

  def place_frequencies(self, first):
    m = self.step
    ends = [self.below(first + j) - self.below(first) + j for j in range(m + 1)]
    ends = [e * (2**24 - m) // ends[-1] + j for j, e in enumerate(ends)]
    return np.diff(ends).tolist()


def entries_of(symbols, rows):
  """The (frequencies, entry) pairs of one push, but for escaped values."""
  all_ = [Documented(row) for row in rows.tolist()]
  order = sorted(range(len(rows)), key=lambda i: all_[i].group)
  bins, places = [], []
  for i in order:
    d, symbol = all_[i], int(symbols[i])
    j = (symbol - d.low) // d.step
    assert 0 <= j < d.bins, "the test needs symbols inside their windows"
    bins.append((d.bin_frequencies(), j))
    if d.step > 1:
      first = d.low + j * d.step
      places.append((d.place_frequencies(first), symbol - first))
  return bins + places


def test_payloads_are_those_of_the_documented_integers():
  rows = np.concatenate([random_rows(0, 60), wild_rows(1, 20)])
  middle = [Documented(row) for row in rows.tolist()]
  rng = np.random.default_rng(2)
  symbols = [d.low + rng.integers(d.bins * d.step) for d in middle]
  symbols = np.array(symbols, np.int32)
  assert {d.group for d in middle} == set(range(8))
  data = encode(symbols, rows)
  low, width, digits = interval_of(entries_of(symbols, rows))
  value = int.from_bytes(data.ljust(4 * digits, b"\0"), "big")
  assert len(data) <= 4 * digits and low <= value < low + width
  np.testing.assert_array_equal(decode(data, rows), symbols)


@pytest.mark.parametrize("rows_of", [random_rows, wild_rows])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("n", [0, 1, 7, 4000])
def test_symbols_come_back(rows_of, k, n):
  rows = rows_of(n + k, n, k)
  symbols = draw(n, rows)
  decoded = decode(encode(symbols, rows), rows)
  np.testing.assert_array_equal(decoded, symbols)
  assert decoded.dtype == np.int32


@pytest.mark.parametrize("row", [0, 63])
def test_every_int32_can_be_coded(row):
  near = np.arange(-300, 300)
  powers = 2 ** np.arange(31)
  ends = np.array([INT32.min, INT32.min + 1, INT32.max - 1, INT32.max])
  symbols = np.concatenate([near, powers, -powers, ends]).astype(np.int32)
  for mean in (-(2**21), 0, 2**21):
    rows = np.tile(np.int32([mean, row, 96]), (len(symbols), 1))
    decoded = decode(encode(symbols, rows), rows)
    np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("rows_of", [random_rows, wild_rows])
def test_no_frequency_is_zero_and_sums_are_exact(rows_of):
  rng = np.random.default_rng(0)
  seen = []

  def read(model, parameters, *_):
    if isinstance(parameters, np.ndarray) and parameters.ndim == 2:
      n = parameters.shape[1]
      assert (parameters >= 0).all() and (parameters % 1 == 0).all()
      assert (parameters.sum(1) == 2**24 - n).all()
      seen.append(n)
      return rng.integers(0, max(n - 1, 1), len(parameters)).astype(np.int32)
    raise AssertionError("no escape was read")

  mixtures.pop(read, rows_of(3, 3000), MODELS)
  # Bins and the escape, and places within bins.
  assert set(seen) >= {17, 33, 65, 4, 16, 32, 64}


def test_frequencies_are_the_mass_of_the_bins():
  # One component, in the middle of a cell: nothing is rounded but integers.
  for scale_row in (0, 10, 18, 25):
    d = Documented([0, scale_row, 96])
    edges = np.arange(d.low, d.low + d.bins * d.step + 1, d.step) - 0.5
    edges = (edges - d.means[0] / 4096) / SCALES[scale_row] / 2**0.5
    cdf = np.array([math.erfc(-x) / 2 for x in edges])
    found = np.array(d.bin_frequencies()[:-1]) / 2**24
    # n entries take a count each; linear interpolation over h = 1/256 errs by
    # h^2 / 8 * 0.242 = 4.6e-7 at most.
    np.testing.assert_allclose(found, np.diff(cdf), atol=1e-6 + 65 / 2**24)


def test_equal_components_may_have_any_weights():
  rng = np.random.default_rng(5)
  one = random_rows(5, 500, k=1)
  rows = np.repeat(one, 3, axis=1)
  rows[:, 6:] = rng.integers(4, 97, (500, 3))
  symbols = draw(6, one)
  assert encode(symbols, rows) == encode(symbols, one)


def test_a_component_without_weight_does_not_matter():
  rows = random_rows(7, 500)
  rows[:, 6] = 0
  rows[:, 7] = 96
  symbols = draw(8, rows)
  other = rows.copy()
  other[:, [0, 3]] = wild_rows(9, 500)[:, [0, 3]]
  assert encode(symbols, other) == encode(symbols, rows)


def test_chunks_leave_no_trace(monkeypatch):
  rows = random_rows(10, 700)
  symbols = draw(11, rows)
  data = encode(symbols, rows)
  monkeypatch.setattr(mixtures, "_CHUNK", 200)
  assert encode(symbols, rows) == data
  np.testing.assert_array_equal(decode(data, rows), symbols)


def test_other_pushes_may_stand_beside():
  rows = [random_rows(seed, 50) for seed in range(3)]
  symbols = [draw(seed, r) for seed, r in enumerate(rows)]
  encoder = range_coder.Encoder()
  for s, r in zip(symbols, rows, strict=True):
    encoder.push(s, r, MODELS)
  decoder = range_coder.Decoder(encoder.finish())
  for s, r in zip(symbols, rows, strict=True):
    np.testing.assert_array_equal(decoder.pop(r, MODELS), s)


# Bytes of this release; they change only with the format version.
def test_the_bytes_of_version_1_stay():
  i = np.arange(40)
  rows = np.stack([i * 37 % 500 - 250, -i, i % 64, i * i % 40, 0 * i + 96, i])
  symbols = (i * i * 7 % 23 - 11) * (1 + i % 3)
  data = encode(symbols.astype(np.int32), rows.T.astype(np.int32))
  assert data.hex() == (
    "fffffffffe000001ffffffffff07ffffffa005ffffffff800816fe910feeffffff7fffff"
    "e93ea3ffffea042921aa7f18957486a6da5f09e5fe67097e3464413f809df400d293645c"
    "041225abac0318473fe078b7f249c7be0c303e089a26"
  )


def test_damage_gives_other_symbols_or_a_jaxlic_error():
  rows = random_rows(12, 300)
  symbols = draw(13, rows)
  data = encode(symbols, rows)
  expected = range_coder.check([symbols])
  rng = np.random.default_rng(14)
  for _ in range(150):
    changed = bytearray(data)
    changed[rng.integers(len(data))] ^= rng.integers(1, 256)
    try:
      decoded = decode(bytes(changed), rows)
    except JaxlicError as error:
      assert "the payload is damaged" in str(error)
    else:
      assert decoded.shape == symbols.shape
      # 16 bits miss one damage in 65,536; the seed is one without.
      assert range_coder.check([decoded]) != expected


def test_garbage_never_crashes():
  rows = np.concatenate([random_rows(15, 100), wild_rows(16, 100)])
  rng = np.random.default_rng(17)
  for length in range(60):
    for garbage in (rng.bytes(length), b"\xff" * length):
      try:
        decode(garbage, rows)
      except JaxlicError as error:
        assert "the payload is damaged" in str(error)


@pytest.mark.parametrize(
  "row",
  [
    [2**21 + 1, 0, 96],
    [-(2**21) - 1, 0, 96],
    [0, -1, 96],
    [0, 64, 96],
    [0, 0, 97],
    [0, 0, -1],
    [0, 0, 3],  # weighs nothing
    [0, 0, 0, 0, 1, 2],
    [0, 0, 96, 0],
    [],
  ],
)
def test_rows_of_nothing_are_refused(row):
  rows = np.array([row], np.int32)
  with pytest.raises(JaxlicError, match="rows of a mixture are k means"):
    encode(np.zeros(1, np.int32), rows)
  with pytest.raises(JaxlicError, match="rows of a mixture are k means"):
    decode(b"", rows)


def test_symbols_of_another_type_are_refused():
  with pytest.raises(JaxlicError, match="symbols are int32, got int64"):
    encode(np.zeros(2, np.int64), random_rows(0, 2))


def test_invalid_tables_are_refused():
  with pytest.raises(JaxlicError, match="cdf rising"):
    range_coder.compile_tables(TABLES._replace(cdf=TABLES.cdf[::-1]))
