"""The training surrogates of rounding, by name."""

from jaxlic.errors import JaxlicError
from jaxlic.quantize import rounding, soft_rounding, straight_through, universal
from jaxlic.types import Quantizer

RATES = ("bound", "exact")
STRAIGHT = ("straight", "stochastic")  # those that give symbols
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


def make_rated(name: str, rated: str) -> Quantizer:
  """Returns rounding with the surrogate of that name for a rate of training.

  Args:
    name: "straight" or "stochastic"; with the exact rate, any of `make`.
    rated: "exact", or "bound", which needs noise on what it rates.

  Raises:
    JaxlicError: If there is no such rate, or no such surrogate for it.
  """
  if rated not in RATES:
    raise JaxlicError(
      f"rated is one of {', '.join(RATES)}, got {rated!r}; choose one of them"
    )
  if rated == "exact":
    return make(name)
  if name not in STRAIGHT:
    raise JaxlicError(
      f"the bound needs symbols, of surrogate {' or '.join(STRAIGHT)}, got "
      f"{name!r}; choose one, or rated exact"
    )
  return rounding.make(straight_through.noisy(SURROGATES[name]))
