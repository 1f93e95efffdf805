"""Symbols of random rows, and their entries by the documentation."""

import math

import numpy as np

from jaxlic.coding import escape, range_coder, tables

SCALES = np.exp(np.linspace(math.log(0.11), math.log(64), 16))
INT32 = np.iinfo(np.int32)


def gaussian_row(sigma):
  center = math.ceil(4 * sigma)
  edges = np.arange(-center, center + 2) - 0.5
  phi = [0.5 * math.erfc(-x / sigma / math.sqrt(2)) for x in edges]
  return np.diff(phi), 2 * phi[0], -center


TABLES = tables.make_tables([gaussian_row(sigma) for sigma in SCALES])
MODELS = range_coder.compile_tables(TABLES)


def sample(seed, n):
  rng = np.random.default_rng(seed)
  rows = rng.integers(0, len(SCALES), n, dtype=np.int32)
  symbols = np.rint(rng.standard_normal(n) * SCALES[rows]).astype(np.int32)
  return symbols, rows


def with_escapes(seed, n):
  symbols, rows = sample(seed, n)
  rng = np.random.default_rng(seed)
  wild = rng.integers(INT32.min, INT32.max, n, endpoint=True)
  wild >>= rng.integers(0, 32, n)
  return np.where(rng.random(n) < 0.1, wild, symbols).astype(np.int32), rows


def entries_of(symbols, rows, tables=TABLES):
  """The (frequencies, entry) pairs of one push, from the documentation."""
  pairs, escaped = [], []
  for row in range(len(tables.sizes)):
    f = tables.frequencies[row, : tables.sizes[row]].tolist()
    low, high = int(tables.offsets[row]), int(tables.offsets[row]) + len(f) - 1
    for symbol in symbols[rows == row].tolist():
      inside = low <= symbol < high
      pairs.append((f, symbol - low if inside else len(f) - 1))
      if not inside:
        above = symbol >= high
        escaped.append((symbol - high + 1 if above else low - symbol, above))
  head = escape.head_frequencies().tolist()
  bits = [d.bit_length() - 1 for d, _ in escaped]
  for (_, above), b in zip(escaped, bits, strict=True):
    pairs.append((head, 2 * b + above))
  for shift in (0, 16):
    for (d, _), b in zip(escaped, bits, strict=True):
      if b > shift:
        size = 2 ** min(b - shift, 16)
        pairs.append(([2**24 // size] * size, (d >> shift) % size))
  return pairs


def golden_stream(n, step):
  """Integers only: no platform rounds them otherwise. Step 11 escapes."""
  f = np.array([[2**23, 2**22, 2**22 - 9, 9], [2**24 - 9, 9, 0, 0]], np.uint32)
  sizes, offsets = np.array([[4, 2], [-1, 7]], np.int32)
  models = range_coder.compile_tables(tables.Tables(f, sizes, offsets))
  i = np.arange(n)
  rows = (i * i // 5 % 2).astype(np.int32)
  symbols = np.where(rows == 1, 7, i * i % 3 - 1)
  symbols = np.where(i % 12 == step, (-3) ** (i % 20), symbols)
  return symbols.astype(np.int32), rows, models
