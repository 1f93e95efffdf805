"""The compiled functions that evaluation, encoder and decoder share.

Between symbols and pixels nothing else is compiled than these functions, per
stage: `predict` (from what is known of the image to what is of the stage, and
table rows), `quantize` (latent to symbols), `absorb` (symbols to what is known
of the image). A stage with an order is visited group after group, for which
`Steps` has two more.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlic.codec import inputs, ordered, traceable
from jaxlic.types import Context, Grid, Known, Model, Order, Params, Stage


class Compiled(NamedTuple):
  """The functions of a model."""

  analyze: Callable  # (params, image, Quality) -> {stage name: latent}
  stages: tuple["Steps", ...]
  synthesize: Callable  # (params, context) -> image [b H W 3] in [0, 1]


class Steps(NamedTuple):
  """Those of one stage; with an order, `predict` gives features."""

  predict: Callable
  around: Callable  # of ordered stages: what is known of a group, and its rows
  near_edge: Callable | None
  quantize: Callable
  put: Callable  # of ordered stages: a group's symbols onto the canvas
  absorb: Callable
  bits: Callable


class Portion(NamedTuple):
  """What is coded at once: a stage, or a group of an ordered one."""

  stage: Stage
  steps: Steps
  places: Any  # [n] int32, padded; None: all
  coded: int  # of what is coded along the second axis, without the padding
  total: int  # likewise, of the whole stage

  def quantize(self, latents: dict[str, Array], known: Known) -> Array:
    """The symbols of the portion, [1 n 1 s] if it is a group."""
    latent = latents[self.stage.spec.name]
    if self.places is not None:
      flat = np.asarray(latent).reshape(-1, latent.shape[-1])
      latent = flat.take(self.places, 0, mode="clip")[None, :, None]
    return self.steps.quantize(latent, known)

  def by_position(self, array: Array) -> np.ndarray:
    """From [1 *positions ...] to [n ...], without the padding."""
    coded = np.asarray(array)[:, : self.coded]
    return coded.reshape(-1, *coded.shape[1 + self.stage.spec.axes :])

  def on_grid(self, symbols: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """From [n s] to [1 *positions s], `shape` being that of rows."""
    positions = shape[2 : 1 + self.stage.spec.axes]
    symbols = symbols.reshape(1, self.coded, *positions, symbols.shape[-1])
    pad = [(0, 0)] * symbols.ndim
    pad[1] = (0, shape[1] - self.coded)
    return np.pad(symbols, pad)


# From a portion, what is known of it, and its table rows, to its symbols.
SymbolsOf = Callable[[Portion, Known, Array], Array | np.ndarray]


def compile_model(model: Model) -> Compiled:
  """Returns a model's functions, compiled on first use for every shape."""

  @_exact
  def synthesize(params, context):
    return jnp.clip(model.synthesize(params, context), 0, 1)

  return Compiled(
    analyze=jax.jit(_exact(functools.partial(traceable.analyze, model))),
    stages=tuple(_compile_stage(stage) for stage in model.stages),
    synthesize=jax.jit(synthesize),
  )


def visit(
  model: Model,
  compiled: Compiled,
  params: Params,
  size: tuple[int, int],
  level: float,
  symbols_of: SymbolsOf,
) -> Context:
  """Visits all stages of an image of `size` (h, w); returns what is known."""
  context = traceable.begin(inputs.vector(level))
  grid = inputs.grid(model.spec, *size)
  for stage, steps in zip(model.stages, compiled.stages, strict=True):
    if stage.order:
      features = steps.predict(params, context, grid=grid)
      canvas = _visit_groups(
        stage, stage.order, steps, params, features, symbols_of
      )
      context = steps.absorb(params, context, canvas, grid=grid)
    else:
      known, rows = steps.predict(params, context, grid=grid)
      count = rows.shape[1]
      portion = Portion(stage, steps, None, count, count)
      symbols = symbols_of(portion, known, rows)
      context = steps.absorb(params, context, symbols, known, grid=grid)
  return context


def _visit_groups(
  stage: Stage,
  order: Order,
  steps: Steps,
  params: Params,
  features: Array,
  symbols_of: SymbolsOf,
) -> Array:
  """Visits the groups of an ordered stage; returns the full canvas."""
  _, height, width, _ = features.shape
  grid = height, width
  canvas = ordered.empty(order, grid, stage.spec.channels)
  groups, counts = ordered.portions(order, grid)
  for group, (places, count) in enumerate(zip(groups, counts, strict=True)):
    known, rows = steps.around(params, features, canvas, places, group)
    portion = Portion(stage, steps, places, int(count), int(counts.sum()))
    symbols = symbols_of(portion, known, rows)
    canvas = steps.put(canvas, places, symbols, known, grid=grid)
  return canvas


def _exact(function: Callable) -> Callable:
  """Accelerators multiply in lower precision unless they are told not to.

  Other devices must agree on what predicts to a few last bits.
  """
  return jax.default_matmul_precision("highest")(function)


def _compile_stage(stage: Stage) -> Steps:
  order: Any = stage.order  # None for most; what needs one is not called then
  density, decode = stage.density, stage.quantizer.from_symbols

  @_exact
  def predict(params: Params, context: Context, *, grid: Grid):
    known = stage.predict(params, context, grid)
    return known if order else (known, density.rows(known))

  @_exact
  def around(params, features, canvas, places, group):
    known = ordered.around(order, params, features, canvas, places, group)
    return known, density.rows(known)

  def put(canvas, places, symbols, known, *, grid):
    y_hat = decode(symbols, known).value
    return ordered.put(order, canvas, places, y_hat, grid=grid)

  @_exact
  def absorb(params, context, symbols, known, *, grid):
    y_hat = decode(symbols, known).value
    return stage.absorb(params, context, y_hat, grid)

  @_exact
  def absorb_canvas(params, context, canvas, *, grid):
    y_hat = ordered.finish(order, canvas, grid)
    return stage.absorb(params, context, y_hat, grid)

  def bits(params, symbols, known, count):
    cost = density.bits(params, decode(symbols, known).coded, known)
    others = (0, *range(2, cost.ndim))
    return jnp.where(
      jnp.arange(cost.shape[1]) < count, cost.sum(others), 0.0
    ).sum()

  on_grid = functools.partial(jax.jit, static_argnames="grid")
  return Steps(
    predict=on_grid(predict),
    around=jax.jit(around),
    near_edge=density.near_edge and jax.jit(density.near_edge),
    quantize=jax.jit(stage.quantizer.to_symbols),
    put=on_grid(put, donate_argnums=0),
    absorb=on_grid(absorb_canvas if order else absorb),
    bits=jax.jit(bits),
  )
