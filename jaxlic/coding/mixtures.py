"""Coding symbols under Gaussian mixtures, in integers alone.

Row `[means, scales, weights]` of 3k integers holds the mixture of one symbol,
as `jaxlic.coding.mixture_tables` explains. Its distribution function `C`, in
units of 2^-38, is the weighted sum of the components', which are interpolated
in the table of the normal one; the weights are scaled to a sum of 2^24.

- A window of symbols reaches 5 scales beyond every component that weighs
  anything. Its size is rounded up to that of a class: 4, 8, 16 or 32 symbols,
  16 bins of 4 or of 16 symbols, 32 of 32, or 64 of 64. Windows that even the
  last is too small for are cut to it, around the heaviest component.
- Of n bins that start at `e_0 .. e_n`, bin j has the cumulative frequency
  `(C(e_j) - C(e_0)) (2^24 - n - 1) >> 38, plus j`; what remains up to 2^24 is
  the escape's, the last entry. No frequency is 0, and their sum is exact.
- One push codes the bins of all symbols, by class, ascending, in their order
  within a class. Then, in the same order, the places within bins of several
  symbols: of m places from e, place j has the cumulative frequency
  `D(j) (2^24 - m) // D(m) + j` with `D(j) = C(e + j) - C(e) + j`. Then the
  values outside their windows, likewise, by `jaxlic.coding.escape`.

An encoder computes `C` at the edges of its own symbols alone, and codes three
entries: what is below, the symbol, and what is above.

References:
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020, section 3.2.
"""

from collections.abc import Callable, Iterator

import constriction
import numpy as np
from jaxtyping import Int

from jaxlic.coding import escape, mixture_masses
from jaxlic.coding.mixture_masses import MASS_BITS, Models, Rows
from jaxlic.coding.tables import PRECISION

_FAMILY = constriction.stream.model.Categorical(perfect=False, lazy=False)
_TOTAL = 2**PRECISION
_CHUNK = 2**16  # edges at a time, so that their arrays stay in the cache

# Classes of windows.
_BINS = np.array([4, 8, 16, 32, 16, 16, 32, 64])
_STEPS = np.array([1, 1, 1, 1, 4, 16, 32, 64])
_SIZES = _BINS * _STEPS


def push(
  encode: Callable[..., None],
  symbols: Int[np.ndarray, "n"],
  rows: Rows,
  models: Models,
) -> None:
  """Codes int32 symbols, each under its mixture.

  Raises:
    JaxlicError: If rows are not of this density.
  """
  order, classes = _order(rows, models)
  inner, escapes = [], []
  for start, stop in _chunks(0, len(order), 3):
    part, group = order[start:stop], classes[start:stop]
    mixtures = mixture_masses.read(rows[part], models)
    low = _lows(mixtures, group, models)
    value = symbols[part].astype(np.int64)
    bins, steps = _BINS[group], _STEPS[group]
    bin_ = (value - low) // steps
    outside = (bin_ < 0) | (bin_ >= bins)
    bin_[outside] = bins[outside]
    bounds = np.stack([0 * bin_, bin_, np.minimum(bin_ + 1, bins)])
    mass = mixture_masses.mass(mixtures, low + bounds * steps, models)
    share = mass * (_TOTAL - 1 - bins) >> MASS_BITS
    below, above = share[1] + bin_, share[2] + bin_ + 1
    above[outside] = _TOTAL
    _encode(encode, below, above)
    if outside.any():
      high = low + bins * steps
      escapes.append((value[outside], low[outside], high[outside]))
    wide = np.flatnonzero((steps > 1) & ~outside)
    inner.append((part[wide], (low + bin_ * steps)[wide], group[wide]))
  _push_inner(encode, symbols, rows, models, _joined(inner))
  if escapes:
    escape.push(encode, *_joined(escapes))


def pop(
  decode: Callable[..., np.ndarray], rows: Rows, models: Models
) -> Int[np.ndarray, "n"]:
  """Returns the int32 symbols of one push, given its rows.

  Raises:
    JaxlicError: If rows are not of this density, or the payload is damaged.
  """
  order, classes = _order(rows, models)
  values = np.empty(len(order), np.int64)
  inner, escapes = [], []
  for group, first, last in _runs(classes):
    bins, step = _BINS[group], _STEPS[group]
    bounds = np.arange(bins + 1)[:, None]
    for start, stop in _chunks(first, last, len(bounds)):
      mixtures = mixture_masses.read(rows[order[start:stop]], models)
      low = _lows(mixtures, classes[start:stop], models)
      mass = mixture_masses.mass(mixtures, low + bounds * step, models)
      share = mass * (_TOTAL - 1 - bins) >> MASS_BITS
      whole = np.full((1, len(low)), _TOTAL - 1 - bins)
      bin_ = _decode(decode, np.concatenate([share, whole]))
      values[start:stop] = low + bin_ * step
      outside = bin_ == bins
      if outside.any():
        where = start + np.flatnonzero(outside)
        escapes.append((where, low[outside], low[outside] + bins * step))
      if step > 1:
        inner.append(start + np.flatnonzero(~outside))
  _pop_inner(decode, values, rows, models, order, classes, inner)
  if escapes:
    where, low, high = _joined(escapes)
    values[where] = escape.pop(decode, low, high)
  symbols = np.empty(len(values), np.int32)
  symbols[order] = values
  return symbols


def _push_inner(encode, symbols, rows, models, inner) -> None:
  """Codes the places within bins: `inner` are symbols, starts, classes."""
  for start, stop in _chunks(0, len(inner[0]), 4):
    part, first, group = (array[start:stop] for array in inner)
    steps = _STEPS[group]
    place = symbols[part] - first
    bounds = np.stack([0 * place, place, place + 1, steps])
    mixtures = mixture_masses.read(rows[part], models)
    share = _inner_share(mixtures, first, bounds, models)
    _encode(encode, share[1] + place, share[2] + place + 1)


def _pop_inner(decode, values, rows, models, order, classes, inner) -> None:
  """Adds to the starts of bins the places within: `inner` are theirs."""
  inner = np.concatenate(inner) if inner else np.zeros(0, np.intp)
  for group, first, last in _runs(classes[inner]):
    bounds = np.arange(_STEPS[group] + 1)[:, None]
    for start, stop in _chunks(first, last, len(bounds)):
      part = inner[start:stop]
      mixtures = mixture_masses.read(rows[order[part]], models)
      share = _inner_share(mixtures, values[part], bounds, models)
      values[part] += _decode(decode, share)


def _inner_share(mixtures, first, bounds, models) -> np.ndarray:
  """Cumulative frequencies but for `+ j` of places within bins.

  Their last bounds are their sizes.
  """
  mass = mixture_masses.mass(mixtures, first + bounds, models) + bounds
  return mass * (_TOTAL - bounds[-1]) // mass[-1]


def _encode(
  encode: Callable[..., None], below: np.ndarray, above: np.ndarray
) -> None:
  """Codes entries by their cumulative frequencies.

  The coder's models have no empty entry; where there is nothing below or above,
  the other side takes two entries. It has 2 or more: every row had 3 entries.
  """
  bottom, top = below == 0, above == _TOTAL
  entry = np.where(bottom, 0, np.where(top, 2, 1)).astype(np.int32)
  first = np.where(bottom, above, np.where(top, below - 1, below))
  last = np.where(top, above - below, np.where(bottom, 1, _TOTAL - above))
  frequencies = np.stack([first, _TOTAL - first - last, last], 1)
  encode(entry, _FAMILY, frequencies - 1.0)


def _decode(decode: Callable[..., np.ndarray], share: np.ndarray) -> np.ndarray:
  """Reads entries, given their cumulative frequencies but for `+ j`."""
  frequencies = np.diff(share, axis=0)  # less 1, as the coder wants them
  frequencies = np.ascontiguousarray(frequencies.T, np.float64)
  return decode(_FAMILY, frequencies).astype(np.int64)


def _order(rows: Rows, models: Models) -> tuple[np.ndarray, np.ndarray]:
  """The stable order by class, and the classes in this order."""
  classes = np.empty(len(rows), np.uint8)
  for start, stop in _chunks(0, len(rows), 2):
    mixture_masses.check(rows[start:stop], models)
    mixtures = mixture_masses.read(rows[start:stop], models)
    low, high = mixture_masses.ends(mixtures, models)
    fitting = np.searchsorted(_SIZES, high - low)
    classes[start:stop] = np.minimum(fitting, len(_SIZES) - 1)
  order = np.argsort(classes, kind="stable")
  return order, classes[order]


def _lows(
  mixtures: mixture_masses.Mixtures, classes: np.ndarray, models: Models
) -> np.ndarray:
  """First symbols of the windows, which their classes may widen or cut."""
  low, high = mixture_masses.ends(mixtures, models)
  spare = _SIZES[classes] - (high - low)
  cut = mixture_masses.centre(mixtures) - _SIZES[-1] // 2
  return np.where(spare < 0, cut, low - (spare >> 1))


def _chunks(start: int, stop: int, edges: int) -> Iterator[tuple[int, int]]:
  """Ranges of symbols, so many that their edges fit a chunk."""
  size = _CHUNK // edges
  for first in range(start, stop, size):
    yield first, min(first + size, stop)


def _runs(classes: np.ndarray) -> list[tuple[int, int, int]]:
  """`(class, start, stop)` of every class in ascending classes."""
  stops = np.bincount(classes, minlength=len(_SIZES)).cumsum().tolist()
  bounds = zip(range(len(_SIZES)), [0, *stops], stops, strict=False)
  return [run for run in bounds if run[1] < run[2]]


def _joined(parts: list[tuple]) -> list[np.ndarray]:
  """Concatenates the tuples' arrays, each with its like."""
  if not parts:
    return [np.zeros(0, np.int64)] * 3
  return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
