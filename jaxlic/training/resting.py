"""Parameters that a training leaves as they are.

Some rest in every training of a model (`ModelSpec.rests` has their last names),
and where a configuration names the groups that learn, `optimizer.only`, all
others rest as well.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxlic.types import Params


def rests(path: tuple, names: Sequence[str], only: Sequence[str] = ()) -> bool:
  """Whether the parameter at a path of the tree stays as it is.

  Args:
    path: As JAX has it, of a nested dictionary.
    names: Last names of those that rest in every training.
    only: The groups that learn; () for all.
  """
  return path[-1].key in names or bool(only and path[0].key not in only)


def choose(
  resting: Params, moving: Params, names: Sequence[str], only: Sequence[str]
) -> Params:
  """Returns a tree of the first one's leaves where parameters rest.

  All others are the second's; see `rests` for the other arguments.
  """
  return jax.tree_util.tree_map_with_path(
    lambda path, a, b: a if rests(path, names, only) else b, resting, moving
  )


def without_gradient(
  params: Params, names: Sequence[str], only: Sequence[str]
) -> Params:
  """Returns the parameters; what rests has no gradient."""
  return choose(jax.lax.stop_gradient(params), params, names, only)


def without_update(
  updates: Params, names: Sequence[str], only: Sequence[str]
) -> Params:
  """Returns an optimizer's updates, but zeros for what rests."""
  zeros = jax.tree.map(jnp.zeros_like, updates)
  return choose(zeros, updates, names, only)
