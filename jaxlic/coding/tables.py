"""Integer frequency tables: the only probabilities the coder ever sees.

A density ends in bin probabilities; here they become integers that sum to
`2**PRECISION` in every row, once, when a codec is frozen. The integers are
stored beside the weights and never rebuilt, so that a file means the same on
every device.

References:
  Balle et al., "TensorFlow Compression", `quantized_cdf`: the integers nearest
  in Kullback-Leibler divergence.
  Begaint et al., "CompressAI", `pmf_to_quantized_cdf`: another rounding.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from jaxlic.errors import JaxlicError
from jaxlic.types import Tables

PRECISION = 24  # bits: every row sums to 2**24, the range coder's resolution
MAX_OFFSET = 2**30  # keeps `symbol - offset` unambiguous modulo 2**32

Row = tuple[np.ndarray, float, int]  # bin probabilities, tail mass, offset


def quantize_pmf(
  pmf: Float[np.ndarray, "n"], precision: int = PRECISION
) -> Int[np.ndarray, "n"]:
  """Returns integer frequencies >= 1 that sum to `2**precision`.

  They minimize `-sum(pmf * log(frequencies))`: start from the rounded scaled
  probabilities, then move single counts to where they save the most bits,
  until no move saves any. `pmf` may have any positive sum.

  Raises:
    JaxlicError: If `pmf` has no positive entry, a negative or non-finite one,
      or more than `2**precision` entries.
  """
  _check_pmf(pmf, precision)
  total = 2**precision
  pmf = pmf.astype(np.float64) / pmf.max()
  f = np.maximum(1, np.rint(pmf * _scale(pmf, total))).astype(np.int64)
  excess = int(f.sum()) - total
  gain = pmf * np.log1p(1 / f)
  with np.errstate(divide="ignore", invalid="ignore"):
    loss = np.where(f > 1, pmf * np.log1p(1 / (f - 1)), np.inf)
  while True:
    best, worst = int(gain.argmax()), int(loss.argmin())
    if excess == 0 and gain[best] <= loss[worst]:
      return f
    step, i = (1, best) if excess <= 0 else (-1, worst)
    f[i] += step
    excess += step
    gain[i] = pmf[i] * np.log1p(1 / f[i])
    loss[i] = pmf[i] * np.log1p(1 / (f[i] - 1)) if f[i] > 1 else np.inf


def quantize_pmf_compressai(
  pmf: Float[np.ndarray, "n"], precision: int = 16
) -> Int[np.ndarray, "n+1"]:
  """Returns the cumulative frequencies CompressAI gives to `pmf`.

  For its checkpoints only: an empty bin takes its count from the rarest bin
  that can spare one, which is not always the cheapest.

  Raises:
    JaxlicError: As `quantize_pmf`.
  """
  _check_pmf(pmf, precision)
  counts = np.floor(pmf.astype(np.float64) * 2**precision + 0.5)
  counts = counts.astype(np.int64)
  f = counts * 2**precision // max(1, int(counts.sum()))
  f[-1] = 2**precision - f[:-1].sum()
  for i in range(len(f)):
    if f[i] == 0:
      f[np.where(f > 1, f, 2**precision + 1).argmin()] -= 1
      f[i] = 1
  return np.concatenate([[0], np.cumsum(f)])


def make_tables(rows: Sequence[Row]) -> Tables:
  """Returns the tables of `(pmf, tail_mass, offset)` rows.

  `pmf[k]` is the probability of symbol `offset + k`, and `tail_mass` that of
  all symbols outside: it becomes the escape entry.

  Raises:
    JaxlicError: As `quantize_pmf` and `validate`.
  """
  frequencies = [
    quantize_pmf(np.append(np.asarray(pmf, np.float64), tail))
    for pmf, tail, _ in rows
  ]
  return _join(frequencies, [offset for *_, offset in rows])


def validate(tables: Tables) -> None:
  """Checks that the coder can use the tables.

  Raises:
    JaxlicError: If shapes, dtypes, sizes, offsets or frequencies are wrong.
  """
  f, sizes, offsets = tables
  if (
    f.dtype != np.uint32 or sizes.dtype != offsets.dtype or sizes.dtype != "i4"
  ):
    raise JaxlicError(
      "tables hold uint32 frequencies, int32 sizes and int32 offsets, got "
      f"{f.dtype}, {sizes.dtype}, {offsets.dtype}; use make_tables"
    )
  if f.ndim != 2 or not len(f) or not sizes.shape == offsets.shape == (len(f),):
    raise JaxlicError(
      "tables hold [rows, width], [rows] and [rows] arrays with rows >= 1, got "
      f"{f.shape}, {sizes.shape}, {offsets.shape}; use make_tables"
    )
  inside = np.arange(f.shape[1]) < sizes[:, None]
  sums = f.sum(1, dtype=np.uint64)
  _check_rows((sizes < 2) | (sizes > f.shape[1]), "2..width entries", sizes)
  # abs() of the smallest int32 is itself, so compare both ends.
  far = (offsets > MAX_OFFSET) | (offsets < -MAX_OFFSET)
  _check_rows(far, f"an offset within +-{MAX_OFFSET}", offsets)
  _check_rows(sums != 2**PRECISION, f"a sum of 2**{PRECISION}", sums)
  zeros = (inside & (f == 0)).sum(1)
  _check_rows(zeros > 0, "no zero frequency", zeros)
  outside = (~inside & (f != 0)).sum(1)
  _check_rows(outside > 0, "no frequency past its size", outside)


def to_arrays(tables: Tables) -> dict[str, np.ndarray]:
  """Returns compact arrays for saving: the rows' frequencies end to end."""
  inside = np.arange(tables.frequencies.shape[1]) < tables.sizes[:, None]
  return {
    "frequencies": tables.frequencies[inside],
    "sizes": tables.sizes,
    "offsets": tables.offsets,
  }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Tables:
  """Inverse of `to_arrays`.

  Raises:
    JaxlicError: If an array is missing or the tables are not valid.
  """
  missing = {"frequencies", "sizes", "offsets"} - set(arrays)
  if missing:
    raise JaxlicError(
      f"saved tables need {sorted(missing)}, got {sorted(arrays)}; save them "
      "with to_arrays"
    )
  flat, sizes = np.asarray(arrays["frequencies"]), np.asarray(arrays["sizes"])
  if sizes.ndim != 1 or flat.shape != (sizes.sum(dtype=np.int64),):
    raise JaxlicError(
      "saved tables need as many frequencies as their sizes add up to, got "
      f"{flat.shape} for sizes of shape {sizes.shape}; save them again"
    )
  if sizes.size and sizes.min() < 2:
    _check_rows(sizes < 2, "2 or more entries", sizes)
  width = int(sizes.max(initial=0))
  f = np.zeros((len(sizes), width), flat.dtype)
  f[np.arange(width) < sizes[:, None]] = flat
  tables = Tables(f, sizes, np.asarray(arrays["offsets"]))
  validate(tables)
  return tables


def _scale(pmf: np.ndarray, total: int) -> float:
  """The c at which `sum(max(1, c * pmf))` is `total`."""
  c = total / pmf.sum()
  while True:
    small = pmf * c < 1
    if not small.any() or small.all():
      return c
    lower = (total - small.sum()) / pmf[~small].sum()
    if lower >= c:
      return c
    c = lower


def _join(frequencies: Sequence[np.ndarray], offsets: Sequence[int]) -> Tables:
  """Pads rows to the widest."""
  sizes = np.array([len(f) for f in frequencies], np.int32)
  flat = [np.zeros(0, np.int64), *frequencies]
  return from_arrays(
    {
      "frequencies": np.concatenate(flat).astype(np.uint32),
      "sizes": sizes,
      "offsets": np.clip(offsets, -(2**31), 2**31 - 1).astype(np.int32),
    }
  )


def _check_pmf(pmf: np.ndarray, precision: int) -> None:
  if not 1 <= len(pmf) <= 2**precision:
    raise JaxlicError(
      f"a table of {precision} bits holds 1..{2**precision} entries, got "
      f"{len(pmf)}; narrow the row"
    )
  if not (np.isfinite(pmf).all() and pmf.min() >= 0 and 0 < pmf.sum() < np.inf):
    raise JaxlicError(
      "probabilities are finite, >= 0 and not all 0, got a row with minimum "
      f"{pmf.min()} and sum {pmf.sum()}; check the density's parameters"
    )


def _check_rows(bad: np.ndarray, rule: str, values: np.ndarray) -> None:
  if bad.any():
    row = int(bad.argmax())
    raise JaxlicError(
      f"every row of a table has {rule}, got {values[row]} in row {row}; "
      "freeze the codec again"
    )
