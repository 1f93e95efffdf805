"""Rows that another device chooses alike, or whose differences a file lists.

The floats of two devices differ in their last bits. A density whose rows depend
on floats finds those that could differ by its `near_edge`; without it a file
would be lost elsewhere, now and then, so it is refused. Rows that depend on
shapes alone, on integers, or by `channel_rows` on channel and level, need none.

Whether rows depend on the values of floats is told by the program that JAX
traces of them, whose operations are followed from its outputs back.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxlic.codec import traceable
from jaxlic.errors import JaxlicError
from jaxlic.types import Density, Known, Model, Quality, Rows, Stage


def guarded(model: Model) -> Model:
  """Returns the model, whose rows are checked when they are traced.

  Its rows raise a JaxlicError where they depend on floats, and nothing finds
  those near an edge.
  """
  return _replaced(model, lambda density, rows: density._replace(rows=rows))


def check_rows(model: Model) -> None:
  """Checks a model before it is trained, by a trace that computes nothing.

  Raises:
    JaxlicError: If rows depend on floats, and nothing finds those near an edge.
  """
  checked = _replaced(model, _with_rows)
  if checked is not model:
    jax.eval_shape(functools.partial(_trained, checked), jax.random.key(0))


def depends_on_floats(rows: Rows, known: Known) -> bool:
  """Returns whether rows depend on values of the floats that are known.

  Conservative: loops and branches are taken to use all that they are given.

  Args:
    rows: Of a density.
    known: Arrays, or tracers, of which shapes and types count.
  """
  leaves, tree = jax.tree.flatten(known)
  shapes = [
    jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))
    for leaf in leaves
  ]
  traced = jax.make_jaxpr(rows)(jax.tree.unflatten(tree, shapes)).jaxpr
  used = _used(traced, [True] * len(traced.outvars))
  return any(
    use and jnp.issubdtype(shape.dtype, jnp.inexact)
    for use, shape in zip(used, shapes, strict=True)
  )


def _replaced(
  model: Model, replace: Callable[[Density, Rows], Density]
) -> Model:
  """The model, of whose densities those are replaced that could be unsafe."""
  if all(_is_safe(stage.density) for stage in model.stages):
    return model
  stages = (
    stage
    if _is_safe(stage.density)
    else stage._replace(
      density=replace(stage.density, _checked(stage, model.spec.name))
    )
    for stage in model.stages
  )
  return model._replace(stages=tuple(stages))


def _is_safe(density: Density) -> bool:
  return bool(density.near_edge or density.channel_rows)


def _checked(stage: Stage, name: str) -> Rows:
  def rows(known: Known) -> Any:
    if depends_on_floats(stage.density.rows, known):
      raise JaxlicError(
        "a density whose rows depend on floats has a near_edge, that of stage "
        f"{stage.spec.name!r} of {name} has none, and another device could not "
        "decode its files; give it one (see jaxlic/densities/gaussian.py), or "
        "rows that depend on the channel alone"
      )
    return stage.density.rows(known)

  return rows


def _with_rows(density: Density, rows: Rows) -> Density:
  """The density, which asks for rows when training asks for its bits."""

  def bits(params: Any, coded: Any, known: Known) -> Any:
    rows(known)
    return (density.training_bits or density.bits)(params, coded, known)

  return density._replace(training_bits=bits)


def _trained(model: Model, key: Any) -> Any:
  """What training computes of an image of one block."""
  side = model.spec.stride
  return traceable.apply(
    model,
    model.init(key),
    jnp.zeros((1, side, side, 3)),
    Quality(jnp.zeros(1)),
    jax.random.split(key, 1),
  )


def _used(jaxpr: Any, wanted: list[bool]) -> list[bool]:
  """Which inputs of a program the outputs that are wanted depend on."""
  needed = {
    id(var) for var, want in zip(jaxpr.outvars, wanted, strict=True) if want
  }
  for equation in reversed(jaxpr.eqns):
    outputs = [id(var) in needed for var in equation.outvars]
    if any(outputs):
      uses = _used_by(equation, outputs)
      pairs = zip(equation.invars, uses, strict=True)
      needed |= {id(var) for var, use in pairs if use}
  return [id(var) in needed for var in jaxpr.invars]


def _used_by(equation: Any, wanted: list[bool]) -> list[bool]:
  """Likewise, of one operation; a call is followed into what it calls."""
  inner = [
    getattr(value, "jaxpr", value)
    for value in equation.params.values()
    if isinstance(value, core.ClosedJaxpr | core.Jaxpr)
  ]
  shape = len(equation.invars), len(equation.outvars)
  if len(inner) == 1 and equation.primitive.name != "scan":
    if (len(inner[0].invars), len(inner[0].outvars)) == shape:
      return _used(inner[0], wanted)
  return [True] * len(equation.invars)
