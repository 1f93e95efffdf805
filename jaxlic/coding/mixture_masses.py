"""Gaussian mixtures in integers: their windows, and the mass between edges.

Row `[means, scales, weights]` of 3k integers holds a mixture, as
`jaxlic.coding.mixture_tables` explains. Arrays here are [k n], of n mixtures,
or [e n], of their edges: NumPy is fast along the last axis.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxlic.coding.mixture_tables import (
  CDF_BITS,
  CDF_REACH,
  CDF_STEP_BITS,
  FRACTION_BITS,
  MEAN_LIMIT,
  PHASES,
  RECIPROCAL_BITS,
  WEIGHT_BITS,
  validate,
)
from jaxlic.errors import JaxlicError
from jaxlic.types import MixtureTables

MASS_BITS = 38  # of a distribution function; times 2^24 it fits into int64
REACH = 5  # scales, from a mean to the end of its window
_HALF = 2 ** (FRACTION_BITS - 1)
_PHASE_BITS = PHASES.bit_length() - 1
_FAR = 2**40

# A place in the table of the normal function is a fixed-point number.
_PLACE_BITS = 12
_SHIFT = FRACTION_BITS + RECIPROCAL_BITS - CDF_STEP_BITS - _PLACE_BITS
_MIDDLE = CDF_REACH << CDF_STEP_BITS + _PLACE_BITS

Rows = Int[np.ndarray, "n parameters"]


class Models(NamedTuple):
  """Tables in the coder's form, int64; make it once per `MixtureTables`."""

  cdf: np.ndarray
  rises: np.ndarray  # from each entry of `cdf` to the next
  reciprocals: np.ndarray
  reaches: np.ndarray  # of each scale, in 2^-12
  centres: np.ndarray  # [scales * phases]
  weights: np.ndarray


class Mixtures(NamedTuple):
  """Mixtures of some symbols, [k n] each, int64."""

  means: np.ndarray  # in 2^-12
  scales: np.ndarray  # rows
  weights: np.ndarray  # of any sum


def compile_tables(tables: MixtureTables) -> Models:
  """Returns the tables in the coder's form.

  Raises:
    JaxlicError: If the tables are not valid.
  """
  validate(tables)
  cdf, reciprocals, centres, weights = (a.astype(np.int64) for a in tables)
  reaches = (REACH << FRACTION_BITS + RECIPROCAL_BITS) // reciprocals
  return Models(
    cdf[:-1], np.diff(cdf), reciprocals, reaches, centres.ravel(), weights
  )


def check(rows: Rows, models: Models) -> None:
  """Checks rows before they are read.

  Raises:
    JaxlicError: If they are not of this density.
  """
  columns = np.ascontiguousarray(rows.T)
  k, rest = divmod(len(columns), 3)
  good = k > 0 and rest == 0
  if good:
    limit = MEAN_LIMIT * PHASES
    scales, weights = len(models.reaches), len(models.weights)
    bounds = ((-limit, limit), (0, scales - 1), (0, weights - 1))
    least, most = columns.min(1), columns.max(1)
    for i, (first, last) in enumerate(bounds):
      part = slice(i * k, i * k + k)
      good = good and least[part].min() >= first and most[part].max() <= last
  if not good or models.weights[columns[2 * k :].max(0)].min() == 0:
    raise JaxlicError(
      f"rows of a mixture are k means within +-{MEAN_LIMIT}, k rows of its "
      f"{len(models.reaches)} scales and k of its {len(models.weights)} "
      "weights, not all of them 0: the payload is damaged, or these tables are "
      "not of this density"
    )


def read(rows: Rows, models: Models) -> Mixtures:
  """Returns the mixtures of checked rows."""
  columns = np.ascontiguousarray(rows.T, np.int64)
  means, scales, weights = np.split(columns, 3)
  means = means + PHASES // 2
  centres = models.centres[scales * PHASES + (means & PHASES - 1)]
  means = (means >> _PHASE_BITS << FRACTION_BITS) + centres
  return Mixtures(means, scales, models.weights[weights])


def ends(mixtures: Mixtures, models: Models) -> tuple[np.ndarray, np.ndarray]:
  """Returns the first symbols within reach, and those after the last."""
  reaches = models.reaches[mixtures.scales]
  low, high = mixtures.means - reaches, mixtures.means + reaches
  unused = mixtures.weights == 0
  low[unused], high[unused] = _FAR, -_FAR
  low, high = low.min(0) + _HALF, high.max(0) + _HALF
  return low >> FRACTION_BITS, (high >> FRACTION_BITS) + 1


def centre(mixtures: Mixtures) -> Int[np.ndarray, "n"]:
  """Returns the symbols nearest to the means of the heaviest components."""
  heaviest = mixtures.weights.argmax(0), np.arange(mixtures.weights.shape[1])
  return mixtures.means[heaviest] + _HALF >> FRACTION_BITS


def mass(mixtures: Mixtures, symbols: np.ndarray, models: Models) -> np.ndarray:
  """Returns C at the lower edges of symbols [e n], less C at their first."""
  edges = (symbols << FRACTION_BITS) - _HALF
  weights = _shares(mixtures.weights)
  reciprocals = models.reciprocals[mixtures.scales]
  total = np.zeros_like(edges)
  for mean, reciprocal, weight in zip(
    mixtures.means, reciprocals, weights, strict=True
  ):
    place = edges - mean
    place *= reciprocal
    place >>= _SHIFT
    place += _MIDDLE
    np.clip(place, 0, 2 * _MIDDLE - 1, out=place)
    entry = place >> _PLACE_BITS
    place &= 2**_PLACE_BITS - 1
    place *= models.rises[entry]
    place >>= _PLACE_BITS
    place += models.cdf[entry]
    place *= weight
    total += place
  total >>= CDF_BITS + WEIGHT_BITS - MASS_BITS
  return total - total[0]


def _shares(weights: np.ndarray) -> np.ndarray:
  """Weights of sum 2^24: quotients, and the rest to the heaviest.

  So equal components make the same mixture, whatever their weights are.
  """
  shares = (weights << WEIGHT_BITS) // weights.sum(0)
  heaviest = weights.argmax(0), np.arange(weights.shape[1])
  shares[heaviest] += 2**WEIGHT_BITS - shares.sum(0)
  return shares
