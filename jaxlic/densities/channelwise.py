"""Densities that know nothing of a symbol but its channel.

A `Family` is a kind of distribution on the real line, with parameters per
channel. Its rate has two forms. The exact one is that of files,

    -log2 Q(z),    Q(z) = integral of q over the unit bin around z

and the bound is what a sample u, uniform on the unit bin, makes of the density:

    -log2 Q(z) <= E_u[-log2 q(z + u)]

by Jensen. The bound is smooth, and unlike the exact rate it asks for a density
alone; a channel that is always 0 costs 1/4 bit under it, for a Gaussian.

A latent that was multiplied by a scale has the density of what it was before,
scaled: `q(z / scale) / scale`. Tables for scales that vary with the rate are
made at STEPS rates per level, and the nearest is used.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 2.2 (eq. 7, 8).
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.coding import tables
from jaxlic.errors import JaxlicError
from jaxlic.nn import gains
from jaxlic.nn.bounds import lower_bound
from jaxlic.types import Density, Known, Params, Tables

TAIL_MASS = 1e-9  # outside a row's symbols, in all
LIKELIHOOD_MIN = 1e-9  # caps a symbol at 29.9 bits in the loss
SEARCH_RADIUS = 2.0**16
MAX_RADIUS = 2**14
STEPS = 16  # rates per level that have tables, of scaled densities


Points = Float[Array, "c n"]
Scale = float | Float[Array, "c #n"]


class Scaled(NamedTuple):
  """What is known of latents that were multiplied by scales."""

  mean: Float[Array, "b *positions c"]
  level: Float[Array, "b"]  # of quality, which tells the scales


class Family(NamedTuple):
  """A kind of distribution; all parameters have c channels first."""

  mass: Callable[[Params, Points, Points], Points]  # of lower and upper points:
  # what lies between them, precise in both tails
  init: Callable[[Array, int], Params] | None = None  # of a key and the
  # channels; None: whoever has the density makes its parameters
  log_density: Callable[[Params, Points], Points] | None = None  # the natural
  # logarithm, which the bound alone needs


def make(
  name: str,
  family: Family,
  *,
  bound: bool = False,
  tail_mass: float = TAIL_MASS,
) -> Density:
  """Returns the density whose parameters are `params[name]`.

  The prediction's mean shifts it.

  Args:
    name: The group of its parameters.
    family: Its kind.
    bound: Whether training has the bound, not the exact rate.
    tail_mass: What its tables leave outside of a row's symbols, in all.

  Raises:
    JaxlicError: If the bound is asked of a family without a log_density.
  """
  _check_bound(family, bound)

  def scale_of(params, known: Known) -> float:
    return 1.0

  def channel_rows(level: float, channels: int) -> np.ndarray:
    return np.arange(channels)

  def freeze_all(params: dict) -> Tables:
    return freeze(family, params[name], tail_mass=tail_mass)

  rated = functools.partial(_rated, name, family, scale_of)
  return _density(rated, _channels, channel_rows, freeze_all, bound)


def make_scaled(
  name: str, family: Family, log_scale: str, *, bound: bool = False
) -> Density:
  """Returns the density of latents that were multiplied by scales.

  Their logarithms are `params[log_scale]` [levels c]; a prediction is `Scaled`,
  and its level interpolates them.

  Args:
    name: As in `make`.
    family: As in `make`.
    log_scale: The group of the scales' logarithms.
    bound: As in `make`.

  Raises:
    JaxlicError: As `make`.
  """
  _check_bound(family, bound)

  def scale_of(params, known: Scaled) -> Points:
    scale = gains.gain(params[log_scale], _step(known) / STEPS)
    return _by_channel(jnp.broadcast_to(scale, known.mean.shape))

  def rows(known: Scaled) -> Int[Array, "b *positions c"]:
    channels = _channels(known)
    step = _step(known).astype(jnp.int32)
    step = step.reshape(-1, *(1,) * (channels.ndim - 1))
    return step * channels.shape[-1] + channels

  def channel_rows(level: float, channels: int) -> np.ndarray:
    return round(level * STEPS) * channels + np.arange(channels)

  def freeze_all(params: dict) -> Tables:
    levels = params[log_scale]
    rates = jnp.arange(STEPS * (len(levels) - 1) + 1) / STEPS
    scales = gains.gain(levels, rates)[:, 0, 0]
    return freeze(family, params[name], scales)

  rated = functools.partial(_rated, name, family, scale_of)
  return _density(rated, rows, channel_rows, freeze_all, bound)


def _rated(
  name: str, family: Family, scale_of: Callable, form: Callable
) -> Callable:
  """One of the two rates, as the `bits` of a density."""

  def bits(params, value, known: Known) -> Array:
    points = _by_channel(value - known.mean)
    scale = scale_of(params, known)
    return _by_place(form(family, params[name], points, scale), value.shape)

  return bits


def _check_bound(family: Family, bound: bool) -> None:
  if bound and family.log_density is None:
    raise JaxlicError(
      "the bound is made of a family's log_density, got None; give one, or "
      "train with the exact rate"
    )


def _density(
  rated: Callable,
  rows: Callable,
  channel_rows: Callable,
  freeze_all: Callable,
  bound: bool,
) -> Density:
  """The density of exact rate, if `bound` with the other in training."""
  return Density(
    rated(exact_bits),
    rows,
    None,
    freeze_all,
    training_bits=rated(bound_bits) if bound else None,
    channel_rows=channel_rows,
  )


def exact_bits(
  family: Family, params: dict, z: Points, scale: Scale = 1.0
) -> Points:
  """Returns -log2 of the mass of the unit bins around z."""
  mass = family.mass(params, (z - 0.5) / scale, (z + 0.5) / scale)
  return -jnp.log2(lower_bound(mass, LIKELIHOOD_MIN))


def bound_bits(
  family: Family, params: dict, noisy: Points, scale: Scale = 1.0
) -> Points:
  """Returns -log2 of the density, whose mean over noise bounds the bits.

  Args:
    family: The kind.
    params: Its parameters.
    noisy: z + u, u uniform on [-1/2, 1/2).
    scale: What z was multiplied by.
  """
  assert family.log_density is not None  # whoever made the density checked it
  log_density = family.log_density(params, noisy / scale) - jnp.log(scale)
  return -log_density / math.log(2)


def freeze(
  family: Family,
  params: dict,
  scales: Float[Array, "s c"] | None = None,
  *,
  tail_mass: float = TAIL_MASS,
) -> Tables:
  """Returns one integer table per channel, over its central mass.

  With `scales` there are s per channel, those of the first scales first.

  Raises:
    JaxlicError: If a channel's symbols span more than 32,768.
  """
  if scales is None:
    scales = jnp.ones((1, len(jax.tree.leaves(params)[0])))

  def mass(lower: Points, upper: Points) -> Points:
    """Of n points, those of the first scales first."""
    scale = jnp.repeat(scales.T, lower.shape[1] // len(scales), axis=1)
    return family.mass(params, lower / scale, upper / scale)

  # The bin around the rounded quantile holds it, so that no more than the tails
  # is left outside.
  ends = _ends(mass, (scales.shape[1], scales.shape[0]), tail_mass)
  first, last = (np.rint(x).astype(int) for x in ends)
  widest = int(np.max(last - first))
  if widest > 2 * MAX_RADIUS:
    raise JaxlicError(
      f"a channel's density spans {widest} symbols, tables hold "
      f"{2 * MAX_RADIUS}; scale the latent down or train longer"
    )
  z = jnp.asarray(first[..., None] + np.arange(widest + 1), jnp.float32)
  flat = z.reshape(len(z), -1)
  masses = np.asarray(mass(flat - 0.5, flat + 0.5), np.float64).reshape(z.shape)
  rows = []
  for scale, channel in np.ndindex(*scales.shape):
    start, stop = first[channel, scale], last[channel, scale]
    pmf = masses[channel, scale, : stop - start + 1]
    rows.append((pmf, max(1.0 - pmf.sum(), tail_mass), int(start)))
  return tables.make_tables(rows)


def _ends(
  mass: Callable, shape: tuple[int, int], tail_mass: float
) -> tuple[np.ndarray, np.ndarray]:
  """The points [c s] below and above which half of the tails' mass lies."""
  edge = jnp.full(shape, SEARCH_RADIUS)

  def halve(_, bounds):
    (low, high), (left, right) = bounds
    middle = (low + high) / 2
    below = mass(-edge, middle) < tail_mass / 2
    low, high = jnp.where(below, middle, low), jnp.where(below, high, middle)
    middle = (left + right) / 2
    below = mass(middle, edge) > tail_mass / 2
    left = jnp.where(below, middle, left)
    right = jnp.where(below, right, middle)
    return (low, high), (left, right)

  bounds = jax.lax.fori_loop(0, 40, halve, ((-edge, edge), (-edge, edge)))
  first, last = (np.asarray(sum(b) / 2, np.float64) for b in bounds)
  return first, last


def _step(known: Scaled) -> Float[Array, "b"]:
  """The nearest level that has tables, in steps."""
  return jnp.round(known.level * STEPS)


def _channels(known: Known) -> Int[Array, "b *positions c"]:
  shape = known.mean.shape
  return jnp.broadcast_to(jnp.arange(shape[-1], dtype=jnp.int32), shape)


def _by_channel(x: Float[Array, "b *positions c"]) -> Points:
  return jnp.moveaxis(x, -1, 0).reshape(x.shape[-1], -1)


def _by_place(
  x: Points, shape: tuple[int, ...]
) -> Float[Array, "b *positions c"]:
  """Inverse of `_by_channel`, for values of that shape."""
  return jnp.moveaxis(x.reshape(shape[-1], *shape[:-1]), 0, -1)
