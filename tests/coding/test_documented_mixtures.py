"""The frequencies of mixtures, from the documentation alone."""

import math

import numpy as np

from tests.coding.documented_mixtures import Documented, entries_of
from tests.coding.exact_intervals import interval_of
from tests.coding.random_mixtures import (
  SCALES,
  decode,
  encode,
  random_rows,
  wild_rows,
)


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


def test_frequencies_are_the_mass_of_the_bins():
  # One component, in the middle of a cell: nothing is rounded but integers.
  for scale_row in (0, 10, 18, 25):
    d = Documented([0, scale_row, 96])
    edges = np.arange(d.low, d.low + d.bins * d.step + 1, d.step) - 0.5
    edges = (edges - d.means[0] / 4096) / SCALES[scale_row] / 2**0.5
    cdf = np.array([math.erfc(-x) / 2 for x in edges])
    frequencies = np.array(d.bin_frequencies()[:-1]) / 2**24
    # n entries take a count each; linear interpolation over h = 1/256 errs by
    # h^2 / 8 * 0.242 = 4.6e-7 at most.
    np.testing.assert_allclose(
      frequencies, np.diff(cdf), atol=1e-6 + 65 / 2**24
    )
