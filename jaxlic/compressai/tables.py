"""CompressAI's integer tables, and ours: the same rows, written differently.

| there | here |
|---|---|
| `_quantized_cdf` [rows, width], up to 2^16 | `frequencies`, summing to 2^24 |
| `_cdf_length` [rows]: one more than the entries | `sizes` |
| `_offset` [rows]: the smallest symbol | `offsets` |

The last entry of a row is the escape in both. `bottleneck` and `gaussian` make
the tables that `update()` makes there, for checkpoints saved without. They
follow it operation by operation, in float32, each rounded once. That gives the
same 27,192 integers of the Gaussian. For a bottleneck the order of sums decides
in rare cases, where a probability is next to half a count: of twelve of 192
channels with random weights, 87 of 118,627 integers differ.

References:
  Begaint et al., "CompressAI", 2020; entropy_models/entropy_models.py of
  release 1.2.8.
"""

import functools
import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from jaxlic.coding import tables as integer_tables
from jaxlic.compressai.layers import DEPTH
from jaxlic.densities import gaussian as density
from jaxlic.errors import JaxlicError
from jaxlic.types import Tables

PRECISION = 16  # bits of theirs
UNIT = 2 ** (integer_tables.PRECISION - PRECISION)  # one count of theirs
MAX_WIDTH = 2**14  # symbols of a row
BUFFERS = ("_quantized_cdf", "_cdf_length", "_offset")

Arrays = Mapping[str, np.ndarray]


def read(arrays: Arrays) -> Tables:
  """Returns the tables of three buffers, which are named as in BUFFERS.

  Raises:
    JaxlicError: If one is missing, or they are no valid tables.
  """
  missing = [name for name in BUFFERS if name not in arrays]
  if missing:
    raise JaxlicError(
      f"integer tables are {', '.join(BUFFERS)}, {missing[0]} is missing; "
      "import without --keep-tables"
    )
  cdf, lengths, offsets = (arrays[name] for name in BUFFERS)
  kinds = {array.dtype.kind for array in (cdf, lengths, offsets)}
  shapes = cdf.shape, lengths.shape, offsets.shape
  if kinds != {"i"} or shapes != (cdf.shape[:2], cdf.shape[:1], cdf.shape[:1]):
    raise JaxlicError(
      "integer tables are [rows, width], [rows] and [rows], got "
      f"{', '.join(f'{a.dtype} {a.shape}' for a in (cdf, lengths, offsets))}; "
      "import without --keep-tables"
    )
  cdf, sizes = cdf.astype(np.int64), lengths.astype(np.int64) - 1
  inside = np.arange(cdf.shape[1] - 1) < sizes[:, None]
  frequencies = np.where(inside, np.diff(cdf), 0)
  wrong = (sizes < 2) | (sizes >= cdf.shape[1]) | (cdf[:, 0] != 0)
  wrong |= (frequencies < 0).any(1) | (frequencies.sum(1) != 2**PRECISION)
  wrong |= (inside & (frequencies == 0)).any(1)
  if wrong.any():
    raise JaxlicError(
      f"rows of integer tables rise from 0 to {2**PRECISION}, row "
      f"{int(wrong.argmax())} does not; import without --keep-tables"
    )
  tables = Tables(
    (frequencies * UNIT).astype(np.uint32),
    sizes.astype(np.int32),
    np.clip(offsets, -(2**31), 2**31 - 1).astype(np.int32),
  )
  integer_tables.validate(tables)
  return tables


def write(tables: Tables) -> dict[str, np.ndarray]:
  """Inverse of `read`.

  Raises:
    JaxlicError: If a frequency is not a multiple of 2^8, as ours are not.
  """
  uneven = np.argwhere(tables.frequencies % UNIT)
  if len(uneven):
    row, entry = uneven[0]
    raise JaxlicError(
      f"frequencies that CompressAI can hold are multiples of {UNIT}, got "
      f"{tables.frequencies[row, entry]} in row {row}; write tables that "
      "`bottleneck` or `gaussian` made"
    )
  sums = np.cumsum(tables.frequencies // UNIT, 1, dtype=np.int32)
  inside = np.arange(sums.shape[1]) < tables.sizes[:, None]
  cdf = np.pad(np.where(inside, sums, 0), ((0, 0), (1, 0)))
  return {
    "_quantized_cdf": cdf,
    "_cdf_length": tables.sizes + 1,
    "_offset": tables.offsets,
  }


def bottleneck(weights: Arrays) -> Tables:
  """Returns the tables of an EntropyBottleneck, a row per channel.

  They reach from the first quantile to the last, around the median.

  Args:
    weights: By name, `quantiles` [c 1 3] and those of its layers.

  Raises:
    JaxlicError: If the quantiles are no numbers, or too far apart for a table.
  """
  low, median, high = weights["quantiles"][:, 0].astype(np.float32).T
  below = np.maximum(np.ceil(median - low), 0)
  above = np.maximum(np.ceil(high - median), 0)
  if not (below + above < MAX_WIDTH).all():
    raise JaxlicError(
      f"the outer quantiles of a channel are less than {MAX_WIDTH} apart, got "
      f"up to {np.max(below + above)}; import without --keep-tables"
    )
  sizes = (below + above).astype(int) + 1
  start = (median - below)[:, None, None]
  points = start + np.arange(sizes.max(), dtype=np.float32)
  lower = _logits(weights, points - np.float32(0.5))[:, 0]
  upper = _logits(weights, points + np.float32(0.5))[:, 0]
  mass = _sigmoid(upper) - _sigmoid(lower)
  # The last point is that of the widest channel, for every channel.
  tails = _sigmoid(lower[:, 0]) + _sigmoid(-upper[:, -1])
  rows = [
    np.append(row[:size], tail)
    for row, size, tail in zip(mass, sizes, tails, strict=True)
  ]
  return _quantized(rows, -below)


def gaussian(scales: Float[np.ndarray, "rows"] | None = None) -> Tables:
  """Returns the tables of a GaussianConditional, a row per scale.

  Args:
    scales: float32; by default the 64 that every model has.
  """
  reach = np.float32(-NormalDist().inv_cdf(density.TAIL_MASS / 2))
  rows, offsets = [], []
  for scale in scale_ladder() if scales is None else scales:
    radius = math.ceil(scale * reach)
    distance = np.abs(np.arange(-radius, radius + 1, dtype=np.float32))
    upper = _normal_cdf((np.float32(0.5) - distance) / scale)
    lower = _normal_cdf((np.float32(-0.5) - distance) / scale)
    rows.append(np.append(upper - lower, 2 * lower[0]))
    offsets.append(-radius)
  return _quantized(rows, np.array(offsets))


def scale_ladder() -> Float[np.ndarray, "64"]:
  """Returns the scales of `densities.gaussian`, rounded as torch.linspace does.

  From both ends to the middle, product and sum rounded together.
  """
  first = np.float32(math.log(density.SCALE_MIN))
  last = np.float32(math.log(density.SCALE_MAX))
  steps = density.LEVELS - 1
  step = np.float64((last - first) / np.float32(steps))
  k = np.arange(density.LEVELS)
  rising, falling = first + step * k, last - step * (steps - k)
  logs = np.where(k < density.LEVELS // 2, rising, falling)
  return _rounded(np.exp, logs.astype(np.float32))


def _quantized(rows: list[np.ndarray], offsets: np.ndarray) -> Tables:
  """The tables of probabilities, the last of each row that of its tails."""
  cdfs = [
    integer_tables.quantize_pmf_compressai(row, PRECISION) for row in rows
  ]
  lengths = np.array([len(cdf) for cdf in cdfs])
  padded = np.zeros((len(cdfs), lengths.max()), np.int64)
  for row, cdf in zip(padded, cdfs, strict=True):
    row[: len(cdf)] = cdf
  offsets = offsets.astype(np.int64)
  return read(dict(zip(BUFFERS, (padded, lengths, offsets), strict=True)))


def _logits(
  weights: Arrays, x: Float[np.ndarray, "c 1 n"]
) -> Float[np.ndarray, "c 1 n"]:
  """The logits of the cumulative, as `densities.factorized.logits` has them."""
  for k in range(DEPTH + 1):
    slope = _rounded(functools.partial(np.logaddexp, 0), weights[f"_matrix{k}"])
    products = (slope[..., j, None] * x[:, None, j] for j in range(x.shape[1]))
    x = functools.reduce(np.add, products) + weights[f"_bias{k}"]
    if k < DEPTH:
      factor = _rounded(np.tanh, weights[f"_factor{k}"])
      x = x + factor * _rounded(np.tanh, x)
  return x


def _sigmoid(x: np.ndarray) -> np.ndarray:
  with np.errstate(over="ignore"):
    return 1 / (1 + _rounded(np.exp, -x))


def _normal_cdf(x: np.ndarray) -> np.ndarray:
  erfc = np.vectorize(math.erfc, otypes=[np.float64])
  return np.float32(0.5) * _rounded(erfc, np.float32(-(2**-0.5)) * x)


def _rounded(function, x: np.ndarray) -> np.ndarray:
  """A function of float32, rounded once; NumPy's differ between processors."""
  with np.errstate(over="ignore"):
    return function(x.astype(np.float64)).astype(np.float32)
