import itertools
import math

import numpy as np
import pytest

from jaxlic.coding import tables
from jaxlic.errors import JaxlicError
from jaxlic.types import Tables

pytestmark = pytest.mark.newest


def gaussian_pmf(sigma):
  """Bins and outside mass as CompressAI's GaussianConditional builds them."""
  center = math.ceil(sigma * 6.1094102)  # -Phi^-1(1e-9 / 2)
  v = np.abs(np.arange(-center, center + 1))
  phi = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
  lower = phi((-0.5 - v) / sigma)
  return np.append(phi((0.5 - v) / sigma) - lower, 2 * lower[0])


def small_tables():
  return tables.make_tables(
    [
      (np.array([0.5, 0.25]), 0.25, -1),
      (np.array([0.1, 0.2, 0.3, 0.4]), 0.0, 5),
    ]
  )


@pytest.mark.parametrize("n", [1, 2, 5, 3000])
def test_frequencies_are_positive_and_sum_to_the_precision(n):
  pmf = np.random.default_rng(n).gamma(0.05, size=n)
  f = tables.quantize_pmf(pmf)
  assert f.min() >= 1 and f.sum() == 2**24 and f.dtype == np.int64


@pytest.mark.parametrize("seed", range(40))
def test_no_other_integers_are_nearer_in_divergence(seed):
  # Brute force over every composition of 16 into 4 positive parts.
  pmf = np.random.default_rng(seed).dirichlet([0.3] * 4)
  compositions = [
    (a, b, c, 16 - a - b - c)
    for a, b, c in itertools.product(range(1, 14), repeat=3)
    if a + b + c < 16
  ]
  best = min(-(pmf * np.log2(np.array(f) / 16)).sum() for f in compositions)
  f = tables.quantize_pmf(pmf, precision=4)
  # Both sides sum four float64 terms of order 1.
  assert -(pmf * np.log2(f / 16)).sum() <= best + 1e-12


def test_integer_frequencies_are_reproduced():
  f = np.array([1, 2**23, 5, 2**23 - 6])
  np.testing.assert_array_equal(tables.quantize_pmf(f / 2**24), f)


def test_rounding_costs_less_than_a_ten_thousandth_bit():
  # A width of 2**-24 on 3133 entries gives away 3133 / 2**24 / ln 2 = 2.7e-4
  # bits at the very most; a Gaussian's tail needs a third of it.
  pmf = gaussian_pmf(256.0)
  f = tables.quantize_pmf(pmf)
  inside = pmf > 0
  pmf, f = pmf[inside] / pmf.sum(), f[inside]
  assert 0 <= (pmf * np.log2(pmf * 2**24 / f)).sum() < 1e-4


@pytest.mark.parametrize(
  "pmf", [[0.5, -0.1], [0.5, np.nan], [0.0, 0.0], [np.inf, 1.0], []]
)
def test_what_is_no_probability_is_refused(pmf):
  for quantize in (tables.quantize_pmf, tables.quantize_pmf_compressai):
    with pytest.raises(JaxlicError, match="got"):
      quantize(np.array(pmf, np.float64))


def test_more_entries_than_counts_are_refused():
  with pytest.raises(JaxlicError, match="holds 1..16 entries, got 17"):
    tables.quantize_pmf(np.ones(17), precision=4)


# Outputs of CompressAI 1.2.8's compiled `pmf_to_quantized_cdf`.
@pytest.mark.parametrize(
  "pmf, precision, cdf",
  [
    ([0.25] * 4, 16, [0, 16384, 32768, 49152, 65536]),
    ([1 / 3] * 3, 16, [0, 21845, 43690, 65536]),
    ([0.5, 0.5, 0, 0], 16, [0, 32766, 65534, 65535, 65536]),
    ([0.7, 0.2, 0.1, 0, 1e-9], 8, [0, 179, 230, 254, 255, 256]),
    ([1, 1, 2], 16, [0, 16384, 32768, 65536]),
    (gaussian_pmf(0.11), 16, [0, 1, 65534, 65535, 65536]),
    (
      gaussian_pmf(0.5),
      16,
      [0, 1, 2, 86, 10395, 55136, 65445, 65533, 65534, 65535, 65536],
    ),
    (
      gaussian_pmf(1.0),
      16,
      [0, 1, 2, 3, 12, 404, 4375, 20217, 45312, 61154, 65125, 65517, 65532]
      + [65533, 65534, 65535, 65536],
    ),
  ],
)
def test_compressai_tables_are_reproduced(pmf, precision, cdf):
  pmf = np.array(pmf, np.float64)
  ours = tables.quantize_pmf_compressai(pmf, precision)
  np.testing.assert_array_equal(ours, cdf)


def test_the_escape_entry_is_last_and_holds_the_tail_mass():
  small = small_tables()
  quarter = 2**22
  np.testing.assert_array_equal(small.sizes, [3, 5])
  np.testing.assert_array_equal(small.offsets, [-1, 5])
  np.testing.assert_array_equal(
    small.frequencies[0], [2 * quarter, quarter, quarter, 0, 0]
  )
  assert small.frequencies[1, 4] == 1


def test_saved_tables_come_back():
  small = small_tables()
  arrays = tables.to_arrays(small)
  assert arrays["frequencies"].shape == (8,)
  for before, after in zip(small, tables.from_arrays(arrays), strict=True):
    np.testing.assert_array_equal(before, after)
    assert before.dtype == after.dtype


def broken(**fields):
  return small_tables()._replace(**fields)


def changed(row, column, value):
  f = small_tables().frequencies.copy()
  f[row, column] = value
  return f


@pytest.mark.parametrize(
  "bad, message",
  [
    (broken(frequencies=np.ones((2, 5))), "uint32 frequencies"),
    (broken(sizes=np.array([3, 5, 5], np.int32)), "got .*, \\(3,\\), \\(2,\\)"),
    (broken(sizes=np.array([1, 5], np.int32)), "2..width entries, got 1"),
    (broken(sizes=np.array([3, 6], np.int32)), "2..width entries, got 6"),
    (broken(offsets=np.array([0, -(2**31)], np.int32)), "got -2147483648"),
    (broken(frequencies=changed(1, 0, 7)), "a sum of 2\\*\\*24, .* row 1"),
    (broken(frequencies=changed(0, 0, 2**23 - 1)), "a sum of"),
    (broken(sizes=np.array([4, 5], np.int32)), "no zero frequency, .* row 0"),
    (broken(sizes=np.array([2, 5], np.int32)), "past its size, .* row 0"),
    (Tables(np.zeros((0, 2), "u4"), *np.zeros((2, 0), "i4")), "rows >= 1"),
  ],
)
def test_invalid_tables_are_refused(bad, message):
  with pytest.raises(JaxlicError, match=message):
    tables.validate(bad)


def test_saved_arrays_that_disagree_are_refused():
  arrays = tables.to_arrays(small_tables())
  with pytest.raises(JaxlicError, match="need \\['sizes'\\]"):
    tables.from_arrays({k: v for k, v in arrays.items() if k != "sizes"})
  for sizes in ([3, 4], [2**31 - 1, 5], [9, -1]):
    with pytest.raises(JaxlicError, match="got"):
      tables.from_arrays(arrays | {"sizes": np.array(sizes, np.int32)})
