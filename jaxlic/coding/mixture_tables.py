"""The integers of Gaussian mixtures: units, and tables that depend on no data.

A component of a mixture is three integers: its mean in 1/64, the row of its
scale, and the row of its weight. What they stand for is stored with a codec,
so that no file depends on how a machine computes `exp` or `erfc`:

- `cdf[i]` is the normal distribution function at `i / 256 - 6`, times 2^30.
- `reciprocals[s]` is `2^24 / scale` of row s.
- `centres[s, p]` is the mean that a component of scale row s has when its
  integer says p/64 - 1/2 beyond a whole number: in 1/4096 beyond that number.
- `weights[w]` is 2^24 times a weight relative to the heaviest component; row 96
  is the heaviest, each row below is 1/8 nat lighter, and row 0 weighs nothing.

Neighbours with equal entries in `centres` or `weights` form a cell. A wider
cell costs rate, for its members are rounded to its centre. A narrower one costs
too: a float near the edge of a cell may fall on its other side on another
device, so the file has to say where it fell. Cells are as wide as the sum of
both costs wants: for a mean about a tenth of its scale, wider far from the
edges of bins; for the weight w times what is best for the heaviest, `w^(-1/3)`.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int32, UInt32

from jaxlic.errors import JaxlicError
from jaxlic.types import MixtureTables

PHASES = 64  # values of a mean's integer per unit
MEAN_LIMIT = 2**15  # largest magnitude of a mean, in units
FRACTION_BITS = 12  # means are rounded to centres in 1/4096
CDF_BITS, CDF_STEP_BITS, CDF_REACH = 30, 8, 6  # 2^8 entries per scale
RECIPROCAL_BITS = 24
WEIGHT_BITS, WEIGHT_STEPS, WEIGHT_DEPTH = 24, 8, 12  # steps per nat, nats

# Bits that the edges of cells cost, by their number per unit: a mean errs by
# 2e-6 of itself and its scale, either way; naming a place takes some 16 bits.
_EDGE_COST = 2 * 2e-6 * 16
_MAX_CENTRE = 2 ** (FRACTION_BITS + 1)
_SHAPES = {
  "cdf": ((2 * CDF_REACH << CDF_STEP_BITS) + 1,),
  "reciprocals": (-1,),
  "centres": (-1, PHASES),
  "weights": (WEIGHT_DEPTH * WEIGHT_STEPS + 1,),
}


def make(scales: Sequence[float]) -> MixtureTables:
  """Returns the tables for these scales, in ascending order.

  Raises:
    JaxlicError: As `validate`.
  """
  tables = MixtureTables(
    cdf=_cdf(),
    reciprocals=np.array(
      [round(2**RECIPROCAL_BITS / scale) for scale in scales], np.uint32
    ),
    centres=np.stack([_centres(scale) for scale in scales]),
    weights=_weights(),
  )
  validate(tables)
  return tables


def validate(tables: MixtureTables) -> None:
  """Checks that the coder can use the tables.

  Raises:
    JaxlicError: If dtypes, shapes or values are wrong.
  """
  count = tables.reciprocals.size
  for name, shape in _SHAPES.items():
    array = getattr(tables, name)
    shape = tuple(count if side < 0 else side for side in shape)
    dtype = np.int32 if name == "centres" else np.uint32
    _check(
      array.dtype == dtype and array.shape == shape and count > 0,
      f"{name} of {np.dtype(dtype)} {list(shape)}",
      f"{array.dtype} {list(array.shape)}",
    )
  for name, bits in (("cdf", CDF_BITS), ("weights", WEIGHT_BITS)):
    array = getattr(tables, name)
    rises = bool((array[1:] >= array[:-1]).all())
    ends = f"{array[0]}..{array[-1]}" + ("" if rises else " with falls")
    _check(ends == f"0..{2**bits}", f"{name} rising 0..{2**bits}", ends)
  for name, least, most in (
    ("reciprocals", 1, 2**28 - 1),
    ("centres", -_MAX_CENTRE, _MAX_CENTRE),
  ):
    first, last = (int(f(getattr(tables, name))) for f in (np.min, np.max))
    inside = least <= first and last <= most
    _check(inside, f"{name} within {least}..{most}", f"{first}..{last}")


def to_arrays(tables: MixtureTables) -> dict[str, np.ndarray]:
  """Returns the arrays for saving, by name."""
  return tables._asdict()


def from_arrays(arrays: Mapping[str, np.ndarray]) -> MixtureTables:
  """Inverse of `to_arrays`.

  Raises:
    JaxlicError: If an array is missing or the tables are not valid.
  """
  missing = set(MixtureTables._fields) - set(arrays)
  _check(not missing, f"the arrays {sorted(missing)}", sorted(arrays))
  tables = MixtureTables(*(arrays[name] for name in MixtureTables._fields))
  validate(tables)
  return tables


def _cdf() -> UInt32[np.ndarray, "n"]:
  end = CDF_REACH << CDF_STEP_BITS
  z = np.arange(-end, end + 1) / (2**CDF_STEP_BITS * math.sqrt(2))
  below = [round(2 ** (CDF_BITS - 1) * math.erfc(-x)) for x in z]
  below[0], below[-1] = 0, 2**CDF_BITS
  return np.array(below, np.uint32)


def _centres(scale: float) -> Int32[np.ndarray, "64"]:
  """What the means -1/2, -1/2 + 1/64 ... are rounded to, in 1/4096."""
  cost = _EDGE_COST * (scale + 0.5)  # for a mean of a typical 1/2
  # Cells of width d cost `cost / d + information * d^2 / (24 ln 2)` bits.
  dense = (_information(scale) / (12 * math.log(2) * cost)) ** (1 / 3) / PHASES
  dense *= max(1, round(dense.sum())) / dense.sum()
  # Three units, so that cells across the halves are whole; one centre is 0.
  position = np.cumsum(np.tile(dense, 3)) - dense[: PHASES // 2].sum()
  position = np.concatenate([[0.0], position])[:-1]
  cell = np.floor(position - dense.sum() + 0.5 + 1e-9).astype(np.int64)
  cell -= cell.min()
  place = np.arange(3 * PHASES) - 3 * PHASES // 2
  mean = np.bincount(cell, place) / np.bincount(cell)
  centres = np.rint(mean[cell] * 2**FRACTION_BITS / PHASES)
  return centres[PHASES:-PHASES].astype(np.int32)


def _information(scale: float) -> Float[np.ndarray, "64"]:
  """Fisher information of a symbol about a mean at -1/2 + 1/128, ... ."""
  if scale > 2:
    return np.full(PHASES, 1 / (scale**2 + 1 / 12))  # to 0.01 %
  mean = (np.arange(PHASES) + 0.5) / PHASES - 0.5
  radius = math.ceil(8 * scale) + 1
  edges = np.arange(-radius, radius + 2)[:, None] - 0.5
  z = (edges - mean) / scale
  above = 0.5 * np.array([[math.erfc(x / 2**0.5) for x in row] for row in z])
  below = above[::-1, ::-1]  # by symmetry; precise in the other tail
  mass = np.where(z[1:] > 0, -np.diff(above, axis=0), np.diff(below, axis=0))
  slope = np.diff(np.exp(-(z**2) / 2), axis=0) / (scale * (2 * np.pi) ** 0.5)
  safe = np.maximum(mass, 1e-30)
  return np.where(mass > 1e-30, slope**2 / safe, 0).sum(0)


def _weights() -> UInt32[np.ndarray, "97"]:
  below = np.arange(WEIGHT_DEPTH * WEIGHT_STEPS, -1, -1) / WEIGHT_STEPS  # nats
  # Cells of w^(-1/3) steps: equal ones on this scale.
  cell = 3 * WEIGHT_STEPS * -np.expm1(-below / 3)
  cell = np.floor(cell + 0.5).astype(np.int64)
  mean = np.bincount(cell, np.exp(-below)) / np.maximum(np.bincount(cell), 1)
  weights = np.rint(2**WEIGHT_BITS * mean[cell])
  return np.where(cell < cell[0], weights, 0).astype(np.uint32)


def _check(good: bool, rule: str, actual: object) -> None:
  if not good:
    raise JaxlicError(
      f"the tables of a mixture have {rule}, got {actual}; freeze the codec "
      "again"
    )
