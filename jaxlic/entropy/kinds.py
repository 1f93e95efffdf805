"""What tells one entropy model from another, and what is of which."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from jaxlic.entropy.arrays import Shape
from jaxlic.entropy.model import Frozen
from jaxlic.errors import JaxlicError
from jaxlic.types import Density, Known, MixtureTables, Params, Tables

NAME = "density"  # of the group of a density's parameters


class Kind(NamedTuple):
  """What tells one entropy model from another."""

  name: str
  init: Callable[[Array], Params]
  density: Density
  known: Callable[..., Known]  # of a shape, the median and what predicts it, to
  # what the density takes, of arrays [1 1 n c]
  rows: int | None  # of its tables; None: they are those of mixtures
  channels: int | None = None  # None: any, and nothing is learned
  needs: tuple[str, ...] = ()  # of what predicts
  takes: tuple[str, ...] = ()  # likewise, what may be left out
  extra_axes: int = 0  # of scales, beyond those of y
  around_means: bool = True  # whether symbols are relative to a mean


def check_prediction(
  kind: Kind, shape: Shape, prediction: dict[str, Any]
) -> None:
  """Raises a JaxlicError if it is not what the kind needs, by its names."""
  given = {name for name, value in prediction.items() if value is not None}
  if not set(kind.needs) <= given <= {*kind.needs, *kind.takes}:
    wanted = [*kind.needs, *(f"maybe {name}" for name in kind.takes)]
    raise JaxlicError(
      f"this {kind.name} is predicted by {_listed(wanted)}, got "
      f"{_listed(sorted(given))}; give the former by keyword"
    )
  if kind.channels not in (None, shape[-1]):
    raise JaxlicError(
      f"this {kind.name} has {kind.channels} channels, the last axis of y, got "
      f"{list(shape)}; move its channels last, or make one of so many"
    )


def check_params(kind: Kind, params: Params) -> None:
  """Raises a JaxlicError for what is not made by the init of that kind.

  All arrays of a bottleneck have its channels first; others have none.
  """
  if not isinstance(params, dict):
    raise JaxlicError(
      f"parameters are a dictionary, got {type(params).__name__}; give that of "
      "init"
    )
  found = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(params)}
  if found != (set() if kind.channels is None else {(kind.channels,)}):
    raise JaxlicError(
      f"these are no parameters of this {kind.name}, got arrays whose first "
      f"sides are {sorted(found)}; give those of its init"
    )


def check_tables(kind: Kind, frozen: Any) -> None:
  """Raises a JaxlicError for what is not made by the freeze of that kind."""
  good = isinstance(frozen, Frozen) and _has_rows(frozen.tables, kind.rows)
  if not good:
    raise JaxlicError(
      f"these are no tables of this {kind.name}, got {type(frozen).__name__}"
      f"{_rows_of(frozen)}; give those of its freeze"
    )


def _has_rows(tables: Any, rows: int | None) -> bool:
  if rows is None:
    return isinstance(tables, MixtureTables)
  return isinstance(tables, Tables) and len(tables.sizes) == rows


def _rows_of(frozen: Any) -> str:
  sizes = getattr(getattr(frozen, "tables", frozen), "sizes", None)
  return "" if sizes is None else f" of {len(sizes)} rows"


def _listed(names: Collection[str]) -> str:
  return ", ".join(names) or "nothing"
