"""The weights of levels, and of maps that say where an image deserves bits.

A map holds a value q of 0 to 1 for every pixel. It multiplies the weight of the
squared error by `(8/3 q^2 + 1/3)^1.6355`: by 1 at q = 1/2, by 6.03 at 1 and by
as much less at 0.

References:
  mmSir, "GainedVAE", 2021 (the weight).
"""

import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError

NEUTRAL = 0.5  # the value of a map that changes no weight
EXPONENT = 1.6355  # makes the weights of 0 and 1 each other's inverse


def weight(
  quality_map: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
  """Returns what the map multiplies the weight of the squared error by."""
  return (8 / 3 * quality_map**2 + 1 / 3) ** EXPONENT


def check_lambdas(what: str, lambdas: tuple[float, ...]) -> None:
  """Checks that levels have weights of the distortion, in order.

  Raises:
    JaxlicError: If there are less than two, or they do not ascend from above 0.
  """
  ascend = len(lambdas) > 1 and (np.diff(lambdas) > 0).all()
  if not (ascend and min(lambdas) > 0 and np.isfinite(lambdas).all()):
    raise JaxlicError(
      f"{what} has 2 levels or more, of ascending lambdas above 0, got "
      f"{lambdas}; give them from the lowest rate to the highest"
    )
