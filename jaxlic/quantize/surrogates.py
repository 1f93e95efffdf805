"""The training surrogates of rounding, by name."""

from jaxlic.errors import JaxlicError
from jaxlic.quantize import rounding, soft_rounding, straight_through, universal
from jaxlic.types import Quantizer

SURROGATES = {
  "noise": rounding.noise,
  "mixed": rounding.mixed(),
  "soft": soft_rounding.surrogate,
  "universal": universal.surrogate,
  "straight": straight_through.rounded(),
  "stochastic": straight_through.stochastic,
}


def make(name: str) -> Quantizer:
  """Returns rounding with the training surrogate of that name.

  Raises:
    JaxlicError: If there is none of that name.
  """
  if name not in SURROGATES:
    raise JaxlicError(
      f"a surrogate is one of {', '.join(SURROGATES)}, got {name!r}; choose "
      "one of them"
    )
  return rounding.make(SURROGATES[name])
