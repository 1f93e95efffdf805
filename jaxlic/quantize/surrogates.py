"""The training surrogates of rounding, by name."""

from jaxlic.quantize import rounding, soft, straight, universal
from jaxlic.types import JaxlicError, Quantizer

SURROGATES = {
  "noise": rounding.noise,
  "mixed": rounding.mixed(),
  "soft": soft.surrogate,
  "universal": universal.surrogate,
  "straight": straight.rounded(),
  "stochastic": straight.stochastic,
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
