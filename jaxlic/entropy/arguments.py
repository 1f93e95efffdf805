"""The arguments of entropy models, checked."""

from typing import Any

import numpy as np

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError


def check_channels(channels: Any) -> None:
  """Raises a JaxlicError for what is no number of channels."""
  if not _is_whole(channels):
    raise JaxlicError(
      f"channels are an integer from 1 up, got {channels!r}; give that of y's "
      "last axis"
    )


def check_filters(filters: Any) -> None:
  """Raises a JaxlicError for what are no widths of layers."""
  if not isinstance(filters, tuple | list) or not all(map(_is_whole, filters)):
    raise JaxlicError(
      f"filters are a tuple of integers from 1 up, got {filters!r}; give one "
      "for each layer"
    )


def check_tail(tail_mass: Any) -> None:
  """Raises a JaxlicError for a mass that tables do not reach."""
  check_within("tail_mass", tail_mass, 1e-12, 0.1)


def check_within(name: str, value: Any, least: float, most: float) -> None:
  """Raises a JaxlicError for what is no number of a range."""
  # NaN fails the comparison too.
  if (
    not isinstance(value, int | float | np.number) or not least <= value <= most
  ):
    raise JaxlicError(
      f"{name} is within {least:g}..{most:g}, got {value!r}; choose one there"
    )


def scales(scale_table: Any) -> gaussian.Scales:
  """Returns the scales that have tables; None for the ladder's.

  Raises:
    JaxlicError: As `gaussian.check_scales`.
  """
  return None if scale_table is None else gaussian.check_scales(scale_table)


def _is_whole(number: Any) -> bool:
  is_integer = isinstance(number, int | np.integer)
  return is_integer and not isinstance(number, bool) and number >= 1
