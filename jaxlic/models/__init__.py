"""The models, one file per paper, and the only registry of them."""

from collections.abc import Callable

from jaxlic.models import bmshj2018, lapped, mbt2018
from jaxlic.types import JaxlicError, Model

MODELS: dict[str, Callable[..., Model]] = {
  "lapped": lapped.make,
  "bmshj2018-factorized": bmshj2018.make_factorized,
  "bmshj2018-hyperprior": bmshj2018.make_hyperprior,
  "mbt2018-mean": mbt2018.make_mean,
}


def make(name: str, **options: object) -> Model:
  """Returns the model of that name.

  Lists among the options, which is what JSON makes of tuples, become tuples.

  Raises:
    JaxlicError: If the registry has none of that name.
  """
  if name not in MODELS:
    raise JaxlicError(
      f"no architecture is named {name!r}; there are {', '.join(MODELS)}"
    )
  return MODELS[name](
    **{
      key: tuple(value) if isinstance(value, list) else value
      for key, value in options.items()
    }
  )
