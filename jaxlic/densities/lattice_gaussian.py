"""Gaussians on a lattice: coset bits, then coordinates one by one.

A point's coordinates each have the mass of a bin around them, as wide as they
are apart when all before are known: a unit, or two for the last of a block with
parity. For every choice of the others these bins tile the line, so that the
probabilities of all points sum to one. Masses are those of zero-mean Gaussians
around the mean, in lattice units.

A coset bit costs one bit ("raw"), or has a probability that both sides know
("modelled"), see `cosets.py`.

References:
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023 (a raw bit, scalar
  masses).
"""

import functools
import math
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.coding import tables
from jaxlic.densities import cosets, gaussian
from jaxlic.densities.gaussian import (
  LEVELS,
  LIKELIHOOD_MIN,
  SCALE_MIN,
  TAIL_MASS,
)
from jaxlic.errors import JaxlicError
from jaxlic.nn.bounds import lower_bound
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.quantize.lattices.points import (
  AnyArray,
  Lattice,
  coset_of,
  last_phase,
)
from jaxlic.types import Density, Prediction, Tables

COSETS = ("raw", "modelled")

Rows = Int[np.ndarray, "n _"]  # of any second size


def make(points: Lattice, *, coset: str, name: str) -> Density:
  """Returns the density of a lattice.

  Args:
    points: The lattice.
    coset: "raw" or "modelled".
    name: Of the modelled bits' logits among the parameters, `cosets.init`.

  Raises:
    JaxlicError: If `coset` is neither.
  """
  if coset not in COSETS:
    raise JaxlicError(
      f"a coset bit is {' or '.join(COSETS)}, got {coset!r}; choose one"
    )
  raw = coset == "raw" or not points.coset_bits

  def bits(params: dict, coded: Float[Array, "b h w s"], prediction) -> Array:
    channels = prediction.mean.shape[-1]
    count = lattice_quantizer.plane_sizes(points, channels)[0]
    scale = lower_bound(_in_units(points, prediction.scale), SCALE_MIN)
    distance = _in_units(points, coded[..., count:] - prediction.mean)
    # A bin of two units is one unit of half the scale.
    spacing = _tiled(_spacing(points), channels)
    mass = gaussian.bin_mass(
      distance / spacing, jnp.zeros_like(scale), scale / spacing
    )
    cost = -jnp.log2(lower_bound(mass, LIKELIHOOD_MIN))
    chosen = coded[..., :count]
    if raw:
      return jnp.concatenate([jnp.ones_like(chosen), cost], -1)
    price = cosets.bits(points, params[name], scale, chosen)
    return jnp.concatenate([price, cost], -1)

  def rows(prediction: Prediction) -> Int[Array, "b h w c"]:
    return gaussian.scale_rows(_in_units(points, prediction.scale))

  def near_edge(prediction: Prediction) -> Array:
    return gaussian.scale_near_edge(_in_units(points, prediction.scale))

  def freeze(params: dict) -> Tables:
    logits = np.zeros(1) if raw else np.asarray(params[name], np.float64)
    return _freeze(points, logits.ravel())

  parts = (_heads, _last) if points.even else (_heads,)
  parts = (_cosets, *parts) if points.coset_bits else parts
  start = 1 if raw else points.coset_bits * cosets.LOGITS
  return Density(
    bits,
    rows,
    near_edge,
    freeze,
    tuple(functools.partial(part, points, start) for part in parts),
  )


def _cosets(points: Lattice, start: int, rows: Rows, symbols: Rows) -> Rows:
  """Rows of coset bits; 0 for raw ones."""
  if start == 1:
    blocks = rows.shape[1] // points.n
    return np.zeros((len(rows), blocks * points.coset_bits), np.int32)
  return cosets.rows(points, rows)


def _heads(points: Lattice, start: int, rows: Rows, symbols: Rows) -> Rows:
  """Rows of the integers whose bins are a unit wide."""
  blocks = _in_blocks(points, rows)
  phase = _phase(points, _glue(points, symbols, blocks.shape[1]))
  chosen = start + LEVELS * phase + blocks
  chosen = chosen[..., :-1] if points.even else chosen
  return chosen.reshape(len(rows), -1)


def _last(points: Lattice, start: int, rows: Rows, symbols: Rows) -> Rows:
  """Rows of the last integers, whose bins are two units wide."""
  blocks = _in_blocks(points, rows)
  count = blocks.shape[1] * points.coset_bits
  heads = symbols[:, count:].reshape(*blocks.shape[:2], points.n - 1)
  glue = _glue(points, symbols, blocks.shape[1])
  phase = _phase(points, last_phase(glue[..., -1], heads))
  return start + LEVELS * (points.phases + phase) + blocks[..., -1]


def _in_blocks(points: Lattice, rows: Rows) -> Int[np.ndarray, "n k m"]:
  return rows.reshape(len(rows), -1, points.n)


def _glue(
  points: Lattice, symbols: Rows, blocks: int
) -> Float[np.ndarray, "n k m"]:
  """Every block's glue, from the coset bits, which are the first symbols."""
  bits = symbols[:, : blocks * points.coset_bits]
  # A damaged file may hold any integers: its check of symbols tells.
  bits = bits.reshape(len(symbols), blocks, points.coset_bits) & 1
  return points.glue[coset_of(bits)]


def _phase(points: Lattice, glue: AnyArray) -> np.ndarray:
  return np.rint(points.phases * np.asarray(glue)).astype(np.int32)


def _freeze(points: Lattice, logits: Float[np.ndarray, "r"]) -> Tables:
  """Coset bits, then 64 scales for every phase, then for bins of two units."""
  ones = 1 / (1 + np.exp(-logits))
  rows = [(np.array([1 - p, p]), 0.0, 0) for p in ones]
  for spacing in (1, 2) if points.even else (1,):
    for phase in np.arange(spacing * points.phases) / points.phases:
      rows += [
        _row(scale / spacing, phase / spacing)
        for scale in gaussian.scale_ladder()
      ]
  return tables.make_tables(rows)


def _row(scale: float, phase: float) -> tuple[np.ndarray, float, int]:
  """The masses of the unit bins around integers plus a phase of [0, 1)."""
  radius = math.ceil(-scale * NormalDist().inv_cdf(TAIL_MASS / 2))
  edges = (np.arange(-radius - 1, radius + 2) - 0.5 + phase) / scale
  edges /= math.sqrt(2)
  below = np.array([0.5 * math.erfc(-edge) for edge in edges])
  above = np.array([0.5 * math.erfc(edge) for edge in edges])
  # Differences of small numbers keep their relative precision.
  pmf = np.where(edges[1:] < 0, np.diff(below), -np.diff(above))
  return pmf, below[0] + above[-1], -radius - 1


def _spacing(points: Lattice) -> Float[np.ndarray, "n"]:
  """How far the coordinates' values are apart, in their units."""
  return np.array([1.0] * (points.n - 1) + [1.0 + points.even], np.float32)


def _in_units(points: Lattice, value: Array) -> Array:
  """The latent's values, relative to the mean, in the coordinates' units."""
  units = points.step * np.asarray(points.units)
  return value / _tiled(units, value.shape[-1])


def _tiled(
  numbers: Float[np.ndarray, "n"], channels: int
) -> Float[np.ndarray, "1 1 1 c"]:
  """Numbers of a block's coordinates, for all channels."""
  repeats = channels // len(numbers)
  return np.tile(numbers, repeats).astype(np.float32)[None, None, None]
