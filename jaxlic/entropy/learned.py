"""The entropy model that learns a density per channel.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, appendix 6.1.
  Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman
  coding with compression rate of arithmetic coding", 2013 (`coder="ans"`).
"""

import functools
from typing import Any

import jax.numpy as jnp

from jaxlic.densities import factorized
from jaxlic.densities.channelwise import TAIL_MASS
from jaxlic.entropy import arguments, arrays, derive
from jaxlic.entropy.kinds import NAME, Kind
from jaxlic.entropy.model import EntropyModel
from jaxlic.types import Prediction


def bottleneck(
  channels: int,
  *,
  filters: tuple[int, ...] = factorized.FILTERS,
  init_scale: float | int = 10,
  tail_mass: float = TAIL_MASS,
  coder: str = "range",
) -> EntropyModel:
  """Returns the model that learns a density for each channel.

  Symbols are `round(y)`, or `round(y - median)` where the parameters have a
  "median" [c], as those that `jaxlic.compressai` imports.

  Args:
    channels: Of the last axis.
    filters: The widths of a channel's layers, but for the last.
    init_scale: Of the y that is expected at first.
    tail_mass: What tables leave to escapes, in all.
    coder: "range", or "ans" for rANS.

  Raises:
    JaxlicError: If an argument is out of its range.
  """
  arguments.check_channels(channels)
  arguments.check_filters(filters)
  arguments.check_within("init_scale", init_scale, 1e-3, 1e3)
  arguments.check_tail(tail_mass)
  kind = Kind(
    "bottleneck",
    init=functools.partial(
      factorized.init,
      channels=channels,
      scale=float(init_scale),
      filters=tuple(filters),
    ),
    density=factorized.make(NAME, tail_mass=tail_mass),
    known=_known,
    rows=channels,
    channels=channels,
  )
  return derive.make(kind, coder)


def _known(shape: arrays.Shape, median: Any) -> Prediction:
  """A mean each: the channel's median, or 0."""
  mean = jnp.zeros(shape)
  if median is not None:
    mean = jnp.broadcast_to(jnp.asarray(median, jnp.float32), shape)
  mean = arrays.lifted(mean, shape)
  return Prediction(mean, mean)
