"""Lattice quantization around a predicted mean, and its training surrogates.

The channels of a position are divided into blocks of the lattice's n, those
next to each other; a block of all channels is the paper's. The lattice is
scaled to cells of volume 1, so that its points are as dense as integers.

Symbols of a position come in planes: the coset bits of all blocks, then their
integers, first all but those that need the others' parity. What the density
rates has the coset bits first, too, as real numbers of [0, 1], and then the
latent's values. Rated are the bins of `densities/lattice_gaussian.py`, exact at
points; at values with noise they are close, for bins are boxes and cells are
not.

| surrogate | rated | decoded |
|---|---|---|
| noise | latent + noise over the Voronoi cell | the same |
| mixed | latent + noise | the nearest point, straight-through |
| softmax | latent + noise, soft coset bits | the softmax over the cosets |

References:
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023 (softmax, one coset
  bit per position).
"""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.errors import JaxlicError
from jaxlic.quantize.lattices import points as lattice_points
from jaxlic.quantize.lattices.points import Lattice
from jaxlic.quantize.rounding import Keys, Latent, Temperature, straight_through
from jaxlic.types import Prediction, Quantizer, Relaxed

Symbols = Int[Array, "b h w s"]


def make(points: Lattice, surrogate: str = "softmax") -> Quantizer:
  """Returns the quantizer of a lattice.

  Raises:
    JaxlicError: If there is no such surrogate, or it is the softmax over more
      cosets than can be held side by side.
  """
  if surrogate == "softmax":
    lattice_points.check_softmax(points)
  if surrogate not in SURROGATES:
    raise JaxlicError(
      f"a lattice's surrogate is one of {', '.join(SURROGATES)}, got "
      f"{surrogate!r}; choose one"
    )
  return Quantizer(
    functools.partial(SURROGATES[surrogate], points),
    functools.partial(to_symbols, points),
    functools.partial(from_symbols, points),
  )


def check_channels(points: Lattice, channels: int) -> None:
  """Checks that channels can be divided into blocks.

  Raises:
    JaxlicError: If they cannot.
  """
  if channels % points.n:
    raise JaxlicError(
      f"a point of {points.name} takes {points.n} channels, which must divide "
      f"the latent's, got {channels}; choose another lattice, block or width"
    )


def plane_sizes(points: Lattice, channels: int) -> tuple[int, int, int]:
  """Returns how many symbols of a position each plane has.

  They are coset bits, integers, and the last integers of blocks with parity.
  """
  blocks = channels // points.n
  last = blocks if points.even else 0
  return blocks * points.coset_bits, channels - last, last


def to_symbols(
  points: Lattice, latent: Latent, prediction: Prediction
) -> Symbols:
  """Returns the symbols of the points nearest to `latent - mean`."""
  x = _blocks(points, latent - prediction.mean)
  bits, whole = lattice_points.to_symbols(
    points, *lattice_points.nearest_with_coset(points, x)
  )
  parts = (bits, whole[..., :-1], whole[..., -1:])
  parts = parts if points.even else (bits, whole)
  return jnp.concatenate([_positions(part) for part in parts], -1)


def from_symbols(
  points: Lattice, symbols: Symbols, prediction: Prediction
) -> Relaxed:
  """Returns the points plus the mean; rated are the coset bits, too."""
  blocks = symbols.shape[-1] // (points.n + points.coset_bits)
  count, heads, _ = plane_sizes(points, blocks * points.n)
  sizes = (points.coset_bits, points.n - points.even, int(points.even))
  ends = (0, count, count + heads, symbols.shape[-1])
  bits, *whole = (
    symbols[..., start:stop].reshape(*symbols.shape[:3], blocks, size)
    for (start, stop), size in zip(itertools.pairwise(ends), sizes, strict=True)
  )
  point = lattice_points.from_symbols(points, bits, jnp.concatenate(whole, -1))
  value = _positions(points.step * point) + prediction.mean
  return Relaxed(_rated(points, symbols, value), value)


def _noise(
  points: Lattice,
  latent: Latent,
  prediction: Prediction,
  keys: Keys,
  temperature: Temperature,
) -> Relaxed:
  noisy = latent + _draw(points, keys, latent.shape[1:])
  symbols = to_symbols(points, latent, prediction)
  return Relaxed(_rated(points, symbols, noisy), noisy)


def _mixed(
  points: Lattice,
  latent: Latent,
  prediction: Prediction,
  keys: Keys,
  temperature: Temperature,
) -> Relaxed:
  noisy = latent + _draw(points, keys, latent.shape[1:])
  symbols = to_symbols(points, latent, prediction)
  decoded = from_symbols(points, symbols, prediction)
  straight = straight_through(decoded.value, latent)
  return Relaxed(_rated(points, symbols, noisy), straight)


def _softmax(
  points: Lattice,
  latent: Latent,
  prediction: Prediction,
  keys: Keys,
  temperature: Temperature,
) -> Relaxed:
  noisy = latent + _draw(points, keys, latent.shape[1:])
  x = _blocks(points, latent - prediction.mean)
  weights, soft = lattice_points.soften(points, x, temperature)
  bits = weights @ points.bits_of_cosets.astype(np.float32)
  value = _positions(points.step * soft) + prediction.mean
  return Relaxed(jnp.concatenate([_positions(bits), noisy], -1), value)


SURROGATES: dict[str, Callable] = {
  "noise": _noise,
  "mixed": _mixed,
  "softmax": _softmax,
}


def _draw(points: Lattice, keys: Keys, shape: tuple[int, ...]) -> Latent:
  """Noise of one `shape` [h w c] per key, in the latent's units."""
  blocks = (*shape[:-1], shape[-1] // points.n, points.n)
  draw = functools.partial(lattice_points.noise, points, shape=blocks)
  return _positions(points.step * jax.vmap(draw)(keys))


def _rated(points: Lattice, symbols: Symbols, value: Latent) -> Array:
  """The coset bits among the symbols, then values."""
  bits = symbols[..., : plane_sizes(points, value.shape[-1])[0]]
  return jnp.concatenate([bits.astype(value.dtype), value], -1)


def _blocks(points: Lattice, latent: Latent) -> Float[Array, "b h w k n"]:
  """Blocks, in lattice units."""
  shape = (*latent.shape[:3], latent.shape[3] // points.n, points.n)
  return latent.reshape(shape) / points.step


def _positions(parts: Array) -> Array:
  """Inverse of dividing the last axis into blocks."""
  return parts.reshape(*parts.shape[:3], -1)
