"""What a lattice gives on Gaussian numbers: dB over rounding at equal rate.

    python benchmarks/lattice_gain.py

Independent numbers of one scale, nearest points, entropy coding as in files but
without the tables' rounding, cosets modelled by their frequencies. Rounding
and lattice are compared at the same bits per number, along a curve of scales.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.densities import lattice_gaussian as density
from jaxlic.quantize.lattices import points as lattice_points
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.types import Prediction

LATTICES = (
  ("Dn*", 8),
  ("Dn*", 48),
  ("Dn*", 192),
  ("E8", 8),
  ("BW16", 16),
)
SCALES = np.geomspace(0.15, 12, 24)  # of the numbers, in steps
RATES = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)  # bits per number
COUNT = 400_000  # numbers


def main():
  """Prints gains, a row per lattice."""
  rounding = curve("Zn", 8)
  print("bits per number", *RATES, "high rate", sep=" | ")
  for name, n in LATTICES:
    lattice = curve(name, n)
    gains = [_error(rounding, rate) - _error(lattice, rate) for rate in RATES]
    points = lattice_points.make(name, n)
    noise = lattice_points.noise(points, jax.random.key(0), (COUNT // n, n))
    moment = float((noise**2).mean()) / points.volume ** (2 / n)
    gains.append(-10 * np.log10(12 * moment))
    print(name, n, *(f"{gain:.2f}" for gain in gains), sep=" | ")


def curve(name, n):
  """Rates, and errors relative to the variance in dB, of all scales."""
  points = lattice_points.make(name, n)
  quantizer = lattice_quantizer.make(points, "mixed")
  rated = density.make(points, coset="raw", name="coset")
  x = jax.random.normal(jax.random.key(1), (1, COUNT // n, 1, n))
  known = Prediction(jnp.zeros_like(x), jnp.ones_like(x))
  count = lattice_quantizer.plane_sizes(points, n)[0]

  @jax.jit
  def measure(scale):
    y, here = scale * x, known._replace(scale=scale * known.scale)
    symbols = quantizer.to_symbols(y, here)
    coded, value = quantizer.from_symbols(symbols, here)
    error = ((value - y) ** 2).mean()
    cost = rated.bits({}, coded, here)
    coset = lattice_points.coset_of(symbols[..., :count])
    used = jnp.bincount(coset.ravel(), length=2**points.coset_bits)
    return cost[..., count:].sum(-1).mean(), used, error / scale**2

  rows = []
  for scale in SCALES:
    bits, used, error = jax.device_get(measure(jnp.float32(scale)))
    p = used[used > 0] / used.sum()
    entropy = -(p * np.log2(p)).sum()
    rows.append(((bits + entropy) / n, 10 * np.log10(error)))
  return np.array(rows).T


def _error(curve, rate):
  return np.interp(rate, *curve)


if __name__ == "__main__":
  main()
