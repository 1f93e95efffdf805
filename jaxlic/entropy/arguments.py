"""The arguments of entropy models, checked."""

from typing import Any

import numpy as np

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError


def check_whole(name: str, numbers: Any) -> None:
  """Raises a JaxlicError for what are no integers from 1 up."""
  if not all(isinstance(n, (int, np.integer)) and n >= 1 for n in numbers):
    raise JaxlicError(
      f"{name} are integers from 1 up, got {numbers!r}; give those"
    )


def check_tail(tail_mass: float) -> None:
  """Raises a JaxlicError for a mass that tables do not reach."""
  check_within("tail_mass", tail_mass, 1e-12, 0.1)


def check_within(
  name: str, value: float | int, least: float, most: float
) -> None:
  """Raises a JaxlicError for a number outside of its range."""
  # NaN fails the comparison too.
  if not least <= value <= most:
    raise JaxlicError(
      f"{name} is within {least:g}..{most:g}, got {value}; choose one there"
    )


def scales(scale_table: Any) -> gaussian.Scales:
  """Returns the scales that have tables; None for the ladder's.

  Raises:
    JaxlicError: As `gaussian.check_scales`.
  """
  return None if scale_table is None else gaussian.check_scales(scale_table)
