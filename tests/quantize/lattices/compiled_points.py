"""The functions of lattices, compiled, and blocks of random numbers."""

import jax

from jaxlic.quantize.lattices import points as lattice_points

nearest_with_coset, nearest, to_symbols, from_symbols, soften, noise = (
  jax.jit(function, static_argnums=static)
  for function, static in (
    (lattice_points.nearest_with_coset, 0),
    (lattice_points.nearest, 0),
    (lattice_points.to_symbols, 0),
    (lattice_points.from_symbols, 0),
    (lattice_points.soften, 0),
    (lattice_points.noise, (0, 2)),
  )
)


def random_blocks(points, count, seed=1, scale=3.0):
  return scale * jax.random.normal(jax.random.key(seed), (count, points.n))
