"""Begins a training with the weights of another.

A tree of parameters has groups, its top-level names. Whole groups that the
weights lack start as the model does.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import logging
from jaxtyping import Array

from jaxlic.errors import JaxlicError
from jaxlic.training import resting
from jaxlic.training.step import Optimizer, State
from jaxlic.types import ModelSpec, Params


def begin(
  state: State,
  config: Any,
  optimizer: Optimizer,
  spec: ModelSpec,
  *,
  load: Callable[[str], Any],
  resumes: bool,
) -> State:
  """Returns the state with the weights of `config.start_from`, if any.

  A run that resumes has its own. It takes the shapes alone from there, for
  imported weights have medians besides; without these it can do without it.

  Args:
    state: As a run begins.
    config: That of the run.
    optimizer: That of the run.
    spec: Of the run's model.
    load: From `config.start_from` to a codec of one model: its architecture,
      options and params.
    resumes: Whether the run does.

  Raises:
    JaxlicError: If the weights are not of such a model, or leave at random what
      is not trained.
  """
  source = config.start_from
  if config.optimizer.only and not source:
    raise JaxlicError(
      "optimizer.only leaves the rest as it begins, which is at random; give "
      "start_from"
    )
  if not source or (resumes and not Path(source).exists()):
    return state
  return _with_codec(state, load(source), config, optimizer, spec)


def begin_with(
  state: State, params: Params, optimizer: Optimizer, spec: ModelSpec
) -> State:
  """Returns the state with other parameters, their average and an optimizer.

  What rests may differ: imported models have medians besides their own
  parameters. Groups that the others lack start as they are, but some must be
  there.

  Raises:
    JaxlicError: If their shapes are not the model's.
  """
  if set(state.params) & set(params):
    fresh = {name: state.params[name] for name in added(state, params)}
    params = fresh | params
  surplus = sorted(set(params) - set(state.params))
  if surplus:
    raise JaxlicError(
      f"the weights to start from have {', '.join(surplus)}, which this model "
      "lacks; give the model's options that add them"
    )
  shapes = [_learned_shapes(p, spec.rests) for p in (params, state.params)]
  if shapes[0] != shapes[1]:
    raise JaxlicError(
      "the weights to start from are not of this model; give model.options of "
      "the run that made them"
    )
  params = jax.tree.map(jnp.asarray, params)
  return state._replace(
    params=params,
    average=jax.tree.map(jnp.copy, params),
    optimizer=optimizer.init(params),
  )


def fitting(params: Params, others: Params) -> Params:
  """Returns parameters, but the others' where name and shape are the same."""
  known = dict(jax.tree_util.tree_leaves_with_path(others))

  def choose(path, leaf):
    return known[path] if _fits(known, path, leaf) else leaf

  return jax.tree_util.tree_map_with_path(choose, params)


def unfitting(params: Params, others: Params) -> list[str]:
  """Returns the groups of which `fitting` leaves some as they are."""
  known = dict(jax.tree_util.tree_leaves_with_path(others))
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return sorted(
    {path[0].key for path, leaf in leaves if not _fits(known, path, leaf)}
  )


def added(state: State, params: Params) -> list[str]:
  """Returns the groups of the state's parameters that others lack."""
  return sorted(set(state.params) - set(params))


def _with_codec(
  state: State,
  trained: Any,
  config: Any,
  optimizer: Optimizer,
  spec: ModelSpec,
) -> State:
  """The state with a codec's weights; warns of what the codec lacks."""
  params, lacks = trained.params, "no"
  absent = added(state, params)
  if config.start_partly:
    absent, lacks = unfitting(state.params, params), "no whole"
    params = fitting(state.params, params)
    _check_some_fits(state.params, params, trained, config)
  _check_rest_is_there(absent, lacks, trained, config)
  try:
    begun = begin_with(state, params, optimizer, spec)
  except JaxlicError as error:
    options = f"{config.start_from} has {trained.options}"
    raise JaxlicError(f"{error}; {options}") from error
  for name in absent:
    logging.warning(
      "%s has %s %s: what it lacks starts afresh",
      config.start_from,
      lacks,
      name,
    )
  return begun


def _fits(known: dict, path: tuple, leaf: Array) -> bool:
  return path in known and jnp.shape(known[path]) == jnp.shape(leaf)


def _learned_shapes(
  params: Params, names: Sequence[str]
) -> dict[tuple, tuple[int, ...]]:
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return {k: jnp.shape(v) for k, v in leaves if not resting.rests(k, names)}


def _check_some_fits(
  params: Params, chosen: Params, trained: Any, config: Any
) -> None:
  """Refuses weights of which `fitting` has chosen none."""
  pairs = zip(*map(jax.tree.leaves, (params, chosen)), strict=True)
  if all(before is after for before, after in pairs):
    raise JaxlicError(
      f"nothing of start_from, {config.start_from}, fits this model; give "
      f"options nearer to those of its {trained.architecture}, "
      f"{trained.options}, or set start_from to nothing"
    )


def _check_rest_is_there(
  absent: Sequence[str], lacks: str, trained: Any, config: Any
) -> None:
  """Refuses to leave at random what `optimizer.only` does not train."""
  only = config.optimizer.only
  missing = [name for name in absent if name not in only]
  if only and missing:
    raise JaxlicError(
      f"only {', '.join(only)} is trained, but {config.start_from} has {lacks} "
      f"{', '.join(missing)}; give model.options as it has them: "
      f"{trained.options}"
    )
