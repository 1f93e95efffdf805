"""The models, one file per paper, and the only registry of them."""

import functools
import inspect
from collections.abc import Callable

from jaxlic.errors import JaxlicError
from jaxlic.models import (
  bmshj2018,
  cheng2020,
  cui2021,
  elic2022,
  gained,
  lapped,
  lvqac,
  mbt2018,
  ms2020,
  scgain,
  theis2017,
)
from jaxlic.types import Model

# Those of one rate.
BACKBONES: dict[str, Callable[..., Model]] = {
  "bmshj2018-factorized": bmshj2018.make_factorized,
  "bmshj2018-factorized-relu": bmshj2018.make_factorized_relu,
  "bmshj2018-hyperprior": bmshj2018.make_hyperprior,
  "mbt2018-mean": mbt2018.make_mean,
  "mbt2018": mbt2018.make_joint,
  "mbt2018-checkerboard": functools.partial(
    mbt2018.make_joint, order="checkerboard", name="mbt2018-checkerboard"
  ),
  "cheng2020-anchor": cheng2020.make,
  "cheng2020-attn": functools.partial(
    cheng2020.make, attention=True, name="cheng2020-attn"
  ),
  "cheng2020-anchor-checkerboard": functools.partial(
    cheng2020.make, order="checkerboard", name="cheng2020-anchor-checkerboard"
  ),
  "elic2022": elic2022.make,
  "ms2020": ms2020.make,
  "lvqac-minnen2018": lvqac.make_minnen,
  "lvqac-cheng2020": lvqac.make_cheng,
  "theis2017": theis2017.make,
  "theis2017-mixture": functools.partial(
    theis2017.make,
    density="mixture",
    components=2,
    padding="zero",
    name="theis2017-mixture",
  ),
}
MODELS: dict[str, Callable[..., Model]] = {
  "lapped": lapped.make,
  **BACKBONES,
  "gained": functools.partial(gained.make, BACKBONES),
  "cui2021": cui2021.make,
  "scgain": scgain.make,
  "theis2017-scaled": functools.partial(
    theis2017.make, lambdas=theis2017.LAMBDAS, name="theis2017-scaled"
  ),
}


def make(name: str, **options: object) -> Model:
  """Returns the model of that name.

  Lists among the options, which is what JSON makes of tuples, become tuples.

  Raises:
    JaxlicError: If the registry has none of that name, or an option is not one
      of that model.
  """
  if name not in MODELS:
    raise JaxlicError(
      f"an architecture is one of {', '.join(MODELS)}, got {name!r}; see "
      "`jaxlic models`"
    )
  try:
    return MODELS[name](
      **{
        key: tuple(value) if isinstance(value, list) else value
        for key, value in options.items()
      }
    )
  except TypeError as error:
    known = inspect.signature(MODELS[name]).parameters
    raise JaxlicError(
      f"{name} takes the options {', '.join(known)}, got {options} ({error}); "
      "leave out or correct what differs"
    ) from error
