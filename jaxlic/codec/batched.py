"""Batches of images to integers and back, as functions that JAX transforms.

    symbols = quantize(params, images, quality)          # on the device
    images = reconstruct(params, symbols, quality, size)

Between both nothing is random and no file is written; `payloads` codes the
integers on the host. They take `jit`, `vmap` and `pmap`, in one program where
the host-driven way of files runs one for each stage: the same functions of the
same model, compiled otherwise, so that last bits may differ, as they do between
devices. Files list the rows that this could change, and decode either way.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxlic.codec import batches, inputs, ordered, traceable
from jaxlic.types import (
  Coded,
  Context,
  Grid,
  Known,
  Model,
  Outcome,
  Params,
  Quality,
  Stage,
)

# From a stage's latents, or symbols, and what is known of them, to symbols.
SymbolsOf = Callable[[Stage, Array, Known], Array]
# What became of a stage's positions: [b *positions ...].
Visited = tuple[Coded, Array, Array]  # and what is decoded, and its bits


class Compiled(NamedTuple):
  """A model's functions of batches, compiled on first use for every shape."""

  quantize: Callable  # (params, images, level, map) -> {stage name: Coded}
  reconstruct: Callable  # (params, {stage name: symbols}, level, size) ->
  # images
  evaluate: Callable  # (params, images, level, map) -> Outcome


def compile_model(model: Model) -> Compiled:
  """Returns a model's functions, which check nothing."""

  def compiled(function: Callable, **static: Any) -> Callable:
    exact = jax.default_matmul_precision("highest")(function)
    return jax.jit(functools.partial(exact, model), **static)

  return Compiled(
    compiled(_quantize),
    compiled(_reconstruct, static_argnames="size"),
    compiled(_evaluate),
  )


def quantize(
  model: Model,
  compiled: Compiled,
  params: Params,
  images: batches.Images,
  quality: batches.Levels = None,
  quality_map: batches.Maps = None,
) -> dict[str, Coded]:
  """Returns what a coder takes of every stage, of images of any size.

  Args:
    model: The model.
    compiled: Its functions.
    params: Its parameters.
    images: Floats [b H W 3] in [0, 1].
    quality: A number per image, [b]; None for models of one rate.
    quality_map: Values in [0, 1], [b H W], for models that take one.

  Raises:
    JaxlicError: If shapes do not fit, the model takes no map, or a quality that
      is not traced is not one of the model.
  """
  level = batches.check_images(model.spec, images, quality, quality_map)
  return compiled.quantize(params, images, level, quality_map)


def reconstruct(
  model: Model,
  compiled: Compiled,
  params: Params,
  symbols: batches.Symbols,
  quality: batches.Levels,
  size: batches.Size,
) -> Float[Array, "b H W 3"]:
  """Returns the images of symbols, values in [0, 1].

  Args:
    model: The model.
    compiled: Its functions.
    params: Its parameters.
    symbols: Of `quantize`, or `pop`.
    quality: That of `quantize`.
    size: Of the images, (H, W).

  Raises:
    JaxlicError: If the symbols are not those of images of that size, or
      qualities not those of as many.
  """
  batches.check_symbols(model, symbols, size)
  given = {name: coded.symbols for name, coded in symbols.items()}
  count = len(given[model.stages[0].spec.name])
  level = batches.levels(model.spec, quality, count)
  return compiled.reconstruct(params, given, level, size=tuple(size))


def evaluate(
  model: Model,
  compiled: Compiled,
  params: Params,
  image: inputs.Image,
  quality: Any,
  quality_map: Any = None,
) -> Outcome:
  """Returns `reconstruct` of `quantize` of one image, and bits, as arrays.

  Raises:
    JaxlicError: As `quantize`.
  """
  inputs.check_image(image)
  # What is not traced stays so, and is judged.
  traced = isinstance(quality, jax.core.Tracer)
  quality = quality[None] if traced else np.asarray(quality)[None]
  quality_map = None if quality_map is None else jnp.asarray(quality_map)[None]
  images = jnp.asarray(image)[None]
  level = batches.check_images(model.spec, images, quality, quality_map)
  outcome = compiled.evaluate(params, images, level, quality_map)
  return jax.tree.map(lambda array: array[0], outcome)


def _quantize(model, params, images, level, quality_map):
  size, latents = _latents(model, params, images, Quality(level, quality_map))
  _, visited = _visit(model, params, level, size, latents, _to_symbols)
  return {name: coded for name, (coded, _, _) in visited.items()}


def _reconstruct(model, params, symbols, level, *, size):
  context, _ = _visit(model, params, level, size, symbols, _as_given)
  return _shown(model, params, context, size)


def _evaluate(model, params, images, level, quality_map):
  size, latents = _latents(model, params, images, Quality(level, quality_map))
  context, visited = _visit(model, params, level, size, latents, _to_symbols)
  bits = {
    name: cost.sum(tuple(range(1, cost.ndim)))
    for name, (_, _, cost) in visited.items()
  }
  return Outcome(_shown(model, params, context, size), bits)


def _latents(
  model: Model,
  params: Params,
  images: Float[Array, "b H W 3"],
  quality: Quality,
) -> tuple[tuple[int, int], dict[str, Array]]:
  """The size of images, and the latents of them in whole blocks."""
  size = images.shape[1], images.shape[2]
  pad = ((0, 0), *inputs.padding(model.spec, *size))
  images = jnp.pad(images, (*pad, (0, 0)), mode="edge")
  if quality.map is not None:
    quality = quality._replace(map=jnp.pad(quality.map, pad, mode="edge"))
  return size, traceable.analyze(model, params, images, quality)


def _visit(
  model: Model,
  params: Params,
  level: Float[Array, "b"],
  size: tuple[int, int],
  sources: dict[str, Array],
  symbols_of: SymbolsOf,
) -> tuple[Context, dict[str, Visited]]:
  """Visits all stages; returns what is known in the end, and of each."""
  grid, visited = inputs.grid(model.spec, *size), {}

  def value_of(stage: Stage, predict: ordered.Predictor) -> Array:
    name = stage.spec.name
    source = sources[name]
    if stage.order:
      visit = functools.partial(_in_order, stage, params, grid, symbols_of)
      visited[name] = jax.vmap(visit)(predict.features, source)
    else:
      visited[name] = _code(stage, params, source, predict(), symbols_of)
    return visited[name][1]

  begin = traceable.begin(level)
  return traceable.walk(model, params, begin, grid, value_of), visited


def _code(
  stage: Stage,
  params: Params,
  source: Array,
  known: Known,
  symbols_of: SymbolsOf,
) -> Visited:
  symbols = symbols_of(stage, source, known)
  density, decoded = stage.density, stage.quantizer.from_symbols(symbols, known)
  near_edge = density.near_edge and density.near_edge(known)
  coded = Coded(symbols, density.rows(known), near_edge)
  return coded, decoded.value, density.bits(params, decoded.coded, known)


def _in_order(
  stage: Stage,
  params: Params,
  grid: Grid,
  symbols_of: SymbolsOf,
  features: Float[Array, "h w f"],
  source: Float[Array, "h w c"] | Int[Array, "h w s"],
) -> Visited:
  """Visits the positions of one image, group after group."""
  order: Any = stage.order  # not None, here
  flat = source.reshape(-1, source.shape[-1])
  places, _ = ordered.portions(order, grid)

  def visit(canvas, portion):
    places, group = portion
    known = ordered.around(order, params, features[None], canvas, places, group)
    here = flat.at[places].get(mode="clip")[None, :, None]
    coded, value, cost = _code(stage, params, here, known, symbols_of)
    canvas = ordered.put(order, canvas, places, value, grid=grid)
    seen = jax.tree.map(lambda x: x[0, :, 0], (coded, cost))
    return canvas, seen

  canvas = ordered.empty(order, grid, stage.spec.channels)
  groups = jnp.arange(len(places))
  canvas, seen = jax.lax.scan(visit, canvas, (jnp.asarray(places), groups))
  on_grid = functools.partial(_on_grid, jnp.asarray(places), grid)
  coded, cost = jax.tree.map(on_grid, seen)
  return coded, ordered.finish(order, canvas, grid)[0], cost


def _on_grid(places: Int[Array, "k n"], grid: Grid, parts: Array) -> Array:
  """From the parts [k n ...] of all groups to [h w ...]."""
  area = grid[0] * grid[1]
  parts = parts.reshape(-1, *parts.shape[2:])
  whole = jnp.zeros((area, *parts.shape[1:]), parts.dtype)
  whole = whole.at[places.ravel()].set(parts, mode="drop")
  return whole.reshape(*grid, *parts.shape[1:])


def _shown(
  model: Model, params: Params, context: Context, size: tuple[int, int]
) -> Float[Array, "b H W 3"]:
  shown = jnp.clip(model.synthesize(params, context), 0, 1)
  return shown[:, : size[0], : size[1]]


def _to_symbols(stage: Stage, latent: Array, known: Known) -> Array:
  return stage.quantizer.to_symbols(latent, known)


def _as_given(stage: Stage, symbols: Array, known: Known) -> Array:
  return symbols
