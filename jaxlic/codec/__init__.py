"""From one description of a model to everything that is done with it.

`make(model)` derives training, evaluation, encoding and decoding by visiting
the model's stages in order. The walks differ only in where the value of a
stage's latent comes from, and evaluation, encoding and decoding run the same
compiled functions on the same symbols: `decode(encode(x)) == evaluate(x)` holds
by construction.

Between symbols and pixels nothing else is compiled than these functions, per
stage: `predict` (what is known -> prediction and table rows), `quantize`
(latent -> symbols), `absorb` (symbols -> what is known).

The payload holds, per stage, the list of close rows and then the symbols; those
of a stage with an order group after group, positions row by row in each, and
those of a lattice plane after plane in each group: coset bits, then integers.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxlic import quality_maps
from jaxlic.codec import ordered
from jaxlic.coding import container, range_coder, row_corrections, symbol_planes
from jaxlic.errors import JaxlicError
from jaxlic.types import (
  AnyTables,
  Codec,
  Context,
  Model,
  ModelSpec,
  Outcome,
  Params,
  Payload,
  Prediction,
  Stage,
)

# Whole blocks of the largest images, and of strips that are mostly padding.
MAX_AREA = container.MAX_PIXELS + 2**22

Image = Float[Array, "H W 3"] | Float[np.ndarray, "H W 3"]
Map = Any  # [H W], checked with a line that says what to do


def make(model: Model) -> Codec:
  """Returns the codec of a model: pure functions, compiled on first use."""
  compiled = _compile(model)
  return Codec(
    init=model.init,
    apply=functools.partial(_apply, model),
    evaluate=functools.partial(_evaluate, model, compiled),
    freeze=functools.partial(_freeze, model),
    encode=functools.partial(_encode, model, compiled),
    decode=functools.partial(_decode, model, compiled),
  )


def analyze(
  model: Model,
  params: Params,
  images: Float[Array, "b H W c"],
  rate: Float[Array, "b"],
) -> dict[str, Float[Array, "b _h _w _c"]]:
  """Returns the latent of every stage."""
  return model.latents(params, model.analyze(params, images, rate), rate)


class _Compiled(NamedTuple):
  """The functions that evaluation, encoder and decoder share."""

  analyze: Callable
  stages: list["_Steps"]
  synthesize: Callable


class _Steps(NamedTuple):
  """Those of one stage; with an order, `predict` gives features."""

  predict: Callable
  around: Callable  # of ordered stages: a group's prediction and rows
  close: Callable | None
  planes: symbol_planes.Planes
  quantize: Callable
  put: Callable  # of ordered stages: a group's symbols onto the canvas
  absorb: Callable
  bits: Callable


class _Portion(NamedTuple):
  """What is coded at once: a stage, or a group of an ordered one."""

  name: str  # of the stage
  steps: _Steps
  places: Any  # [n] int32, padded; None: all
  count: int  # of the predictions along their second axis, those not padded
  total: int  # likewise, of the whole stage

  def quantize(self, latents, prediction):
    """The symbols of the portion, [1 n 1 c] if it is a group."""
    latent = latents[self.name]
    if self.places is not None:
      flat = np.asarray(latent).reshape(-1, latent.shape[3])
      latent = flat.take(self.places, 0, mode="clip")[None, :, None]
    return self.steps.quantize(latent, prediction)


def _compile(model: Model) -> _Compiled:
  @_exact
  def synthesize(params, context):
    return jnp.clip(model.synthesize(params, context), 0, 1)

  return _Compiled(
    analyze=jax.jit(_exact(functools.partial(analyze, model))),
    stages=[_compile_stage(stage) for stage in model.stages],
    synthesize=jax.jit(synthesize),
  )


def _exact(function: Callable) -> Callable:
  """Accelerators multiply in lower precision unless they are told not to.

  Other devices must agree on what predicts to a few last bits.
  """
  return jax.default_matmul_precision("highest")(function)


def _compile_stage(stage: Stage) -> _Steps:
  order, from_symbols = stage.order, stage.quantizer.from_symbols

  @_exact
  def predict(params, context, *, grid):
    known = stage.predict(params, context, grid)
    return known if order else (known, stage.density.rows(known))

  @_exact
  def around(params, features, canvas, places, group):
    prediction = ordered.around(order, params, features, canvas, places, group)
    return prediction, stage.density.rows(prediction)

  def put(canvas, places, symbols, prediction, *, grid):
    y_hat = from_symbols(symbols, prediction)
    return ordered.put(order, canvas, places, y_hat, grid=grid)

  @_exact
  def absorb(params, context, symbols, prediction, *, grid):
    y_hat = from_symbols(symbols, prediction)
    return stage.absorb(params, context, y_hat, grid)

  @_exact
  def absorb_canvas(params, context, canvas, *, grid):
    y_hat = ordered.finish(order, canvas, grid)
    return stage.absorb(params, context, y_hat, grid)

  def bits(params, symbols, prediction, count):
    coded = (stage.quantizer.coded or from_symbols)(symbols, prediction)
    cost = stage.density.bits(params, coded, prediction)
    return jnp.where(
      jnp.arange(cost.shape[1]) < count, cost.sum((0, 2, 3)), 0.0
    ).sum()

  on_grid = functools.partial(jax.jit, static_argnames="grid")
  return _Steps(
    predict=on_grid(predict),
    around=jax.jit(around),
    close=stage.density.close and jax.jit(stage.density.close),
    planes=stage.density.planes,
    quantize=jax.jit(stage.quantizer.to_symbols),
    put=on_grid(put, donate_argnums=0),
    absorb=on_grid(absorb_canvas if order else absorb),
    bits=jax.jit(bits),
  )


def _apply(
  model: Model,
  params: Params,
  images: Float[Array, "b H W 3"],
  rate: Float[Array, "b"],
  keys: Key[Array, "b"],
  temperature: float | Float[Array, ""] = 1.0,
  quality_map: Float[Array, "b H W"] | None = None,
) -> Outcome:
  """Returns images and bits [b] per stage under the training surrogates.

  An image's noise depends on its own key alone, so that the outcome is the same
  however many devices share a batch. Sides are multiples of the model's stride.
  """
  stride = model.spec.stride
  grid = (images.shape[1] // stride, images.shape[2] // stride)
  inputs = _with_map(model, images, quality_map)
  latents = analyze(model, params, inputs, rate)
  context: Context = {"rate": rate}
  bits = {}
  for i, stage in enumerate(model.stages):
    stage_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
    latent = latents[stage.spec.name]
    relax = functools.partial(
      stage.quantizer.surrogate,
      latent,
      keys=stage_keys,
      temperature=temperature,
    )
    prediction = stage.predict(params, context, grid)
    if stage.order:
      prediction = _refined(stage, params, prediction, latent, relax)
    relaxed = relax(prediction)
    rated = stage.density.bound or stage.density.bits
    cost = rated(params, relaxed.coded, prediction)
    bits[stage.spec.name] = cost.sum((1, 2, 3))
    context = stage.absorb(params, context, relaxed.value, grid)
  return Outcome(model.synthesize(params, context), bits)


def _refined(
  stage: Stage, params: Params, features: Array, latent: Array, relax: Callable
) -> Prediction:
  """The prediction of an ordered stage, all of whose positions are relaxed.

  Where the relaxed value depends on the mean, which depends on its neighbours'
  values, two rounds are exact for two groups, and close for more. Elsewhere
  they are the same, and compiled to one.
  """
  zero = jnp.zeros_like(latent)
  # Of the first round, what does not depend on neighbours.
  prediction = ordered.parallel(stage.order, params, features, zero)
  prediction = prediction._replace(mean=zero, scale=zero)
  for _ in range(2):
    value = relax(prediction).value
    prediction = ordered.parallel(stage.order, params, features, value)
  return prediction


def _evaluate(
  model: Model,
  compiled: _Compiled,
  params: Params,
  image: Image,
  rate: float = 0.0,
  quality_map: Map | None = None,
) -> Outcome:
  """Returns the image that a decoder will show, and the estimate of its bits.

  Raises:
    JaxlicError: As `encode`.
  """
  rate = checked_rate(model.spec, rate)
  inputs = _padded(model, image, quality_map)
  latents = compiled.analyze(params, inputs, _vector(rate))
  costs = {stage.spec.name: [] for stage in model.stages}

  def quantize(portion: _Portion, prediction, rows):
    symbols = portion.quantize(latents, prediction)
    cost = portion.steps.bits(params, symbols, prediction, portion.count)
    costs[portion.name].append(cost)
    return symbols

  size = image.shape[:2]
  context = _visit(model, compiled, params, size, rate, quantize)
  shown = compiled.synthesize(params, context)
  bits = {name: float(np.sum(cost)) for name, cost in costs.items()}
  return Outcome(shown[0, : size[0], : size[1]], bits)


def _freeze(model: Model, params: Params) -> dict[str, AnyTables]:
  """Returns each stage's integer tables; keep them with the parameters."""
  return {s.spec.name: s.density.freeze(params) for s in model.stages}


def _encode(
  model: Model,
  compiled: _Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  image: Image,
  rate: float = 0.0,
  quality_map: Map | None = None,
) -> Payload:
  """Returns the coded image.

  Without a `quality_map`, models that take one see 1/2 everywhere.

  Raises:
    JaxlicError: If `rate` is not a quality of this model; if the image is
      empty, too large, or has values outside [0, 1]; if the model takes no
      quality map, or this one is not of the image's size, within [0, 1].
  """
  rate = checked_rate(model.spec, rate)
  inputs = _padded(model, image, quality_map)
  latents = compiled.analyze(params, inputs, _vector(rate))
  models = _coder_models(tables)
  channels = {s.spec.name: s.spec.channels for s in model.stages}
  coded = {name: [] for name in channels}

  def collect(portion: _Portion, prediction, rows):
    symbols = portion.quantize(latents, prediction)
    close = portion.steps.close
    arrays = [symbols, rows] + ([close(prediction)] if close else [])
    coded[portion.name].append([_counted(a, portion.count) for a in arrays])
    return symbols

  height, width = image.shape[:2]
  _visit(model, compiled, params, (height, width), rate, collect)
  coder = range_coder.Encoder()
  for steps, (name, portions) in zip(
    compiled.stages, coded.items(), strict=True
  ):
    if steps.close:
      rows, close = ([part[k] for part in portions] for k in (1, 2))
      row_corrections.push(coder, np.concatenate(rows), np.concatenate(close))
    for symbols, rows, *_ in portions:
      if steps.planes:
        rows = rows.reshape(-1, channels[name])
        symbols = symbols.reshape(len(rows), -1)
        symbol_planes.push(coder, symbols, rows, models[name], steps.planes)
      else:
        coder.push(symbols, rows, models[name])
  sent = [symbols for part in coded.values() for symbols, *_ in part]
  return Payload(height, width, rate, range_coder.check(sent), coder.finish())


def _counted(array: Array, count: int) -> np.ndarray:
  """The first `count` entries [1 n w c ...], as a list of [...]."""
  array = np.asarray(array)[:, :count]
  return array.reshape(-1, *array.shape[4:])


def _decode(
  model: Model,
  compiled: _Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  payload: Payload,
) -> Float[Array, "H W 3"]:
  """Returns the image, values in [0, 1].

  Raises:
    JaxlicError: If the payload is damaged, or was written with other weights
      or where arithmetic differs too much.
  """
  rate = checked_rate(model.spec, payload.rate)
  _check_area(model, payload.height, payload.width)
  coder = range_coder.Decoder(payload.data)
  models = _coder_models(tables)
  received, corrections, seen = [], {}, 0

  def receive(portion: _Portion, prediction, rows):
    nonlocal seen
    name, shape, rows = portion.name, rows.shape, _counted(rows, portion.count)
    if portion.steps.close:
      if name not in corrections:
        every = len(rows) // portion.count * portion.total
        corrections[name], seen = (
          row_corrections.pop(coder, (every, *rows.shape[1:])),
          0,
        )
      rows = row_corrections.correct(rows, corrections[name], seen)
      seen += rows.size
    if portion.steps.planes:
      rows = rows.reshape(-1, shape[3])
      symbols = symbol_planes.pop(
        coder, rows, models[name], portion.steps.planes
      )
    else:
      symbols = coder.pop(rows, models[name])
    received.append(symbols)
    symbols = symbols.reshape(1, portion.count, shape[2], -1)
    missing = shape[1] - portion.count
    return np.pad(symbols, ((0, 0), (0, missing), (0, 0), (0, 0)))

  size = payload.height, payload.width
  context = _visit(model, compiled, params, size, rate, receive)
  _check_symbols(received, payload.check)
  return compiled.synthesize(params, context)[0, : size[0], : size[1]]


def _visit(model, compiled, params, size, rate, symbols_of) -> Context:
  """Visits all stages of an image of `size` (h, w); returns what is known.

  `symbols_of(portion, prediction, rows)` gives a portion's symbols.
  """
  context: Context = {"rate": _vector(rate)}
  grid = _grid(model, *size)
  for stage, steps in zip(model.stages, compiled.stages, strict=True):
    known = steps.predict(params, context, grid=grid)
    if stage.order:
      canvas = _visit_groups(stage, steps, params, known, symbols_of)
      context = steps.absorb(params, context, canvas, grid=grid)
    else:
      prediction, rows = known
      count = rows.shape[1]
      portion = _Portion(stage.spec.name, steps, None, count, count)
      symbols = symbols_of(portion, prediction, rows)
      context = steps.absorb(params, context, symbols, prediction, grid=grid)
  return context


def _visit_groups(stage, steps, params, features, symbols_of) -> Array:
  """Visits the groups of an ordered stage; returns the full canvas."""
  grid = features.shape[1:3]
  canvas = ordered.empty(stage.order, grid, stage.spec.channels)
  every, counts = ordered.portions(stage.order, grid)
  for group, (places, count) in enumerate(zip(every, counts, strict=True)):
    prediction, rows = steps.around(params, features, canvas, places, group)
    portion = _Portion(
      stage.spec.name, steps, places, int(count), int(counts.sum())
    )
    symbols = symbols_of(portion, prediction, rows)
    canvas = steps.put(canvas, places, symbols, prediction, grid=grid)
  return canvas


def _check_symbols(received: list[np.ndarray], expected: int) -> None:
  found = range_coder.check(received)
  if found != expected:
    raise JaxlicError(
      f"the symbols do not match their check ({found:#06x}, expected "
      f"{expected:#06x}): the file was written with other weights, or where "
      "arithmetic differs too much; decode it with those, or there"
    )


def _coder_models(tables: dict[str, AnyTables]) -> dict[str, Any]:
  """The tables in the coder's form; stages may share one."""
  made = {}
  for table in tables.values():
    if id(table) not in made:
      made[id(table)] = range_coder.compile_tables(table)
  return {name: made[id(table)] for name, table in tables.items()}


def checked_rate(spec: ModelSpec, rate: float) -> float:
  """Returns the rate as a file will hold it; 0 for models of one rate.

  Raises:
    JaxlicError: If it is not a quality of the model.
  """
  top = spec.max_quality
  if top == 0:
    return 0.0
  if not 0 <= rate <= top:
    raise JaxlicError(
      f"quality is a number from 0 to {top} for {spec.name}, got {rate}"
    )
  return container.quantize_rate(float(rate))


def _check_area(model: Model, height: int, width: int) -> None:
  """Bounds the work, which is that of whole blocks: strips are padded most."""
  container.check_size(height, width)
  rows, columns = _grid(model, height, width)
  area = rows * columns * model.spec.stride**2
  if area > MAX_AREA:
    raise JaxlicError(
      f"an image in whole blocks of {model.spec.stride} has at most {MAX_AREA} "
      f"pixels, {height} x {width} makes {area}; split it into tiles"
    )


def _with_map(model: Model, images, quality_map):
  """What is analysed: images, and if the model takes one, their map."""
  if quality_map is not None:
    _check_takes_map(model)
  elif model.spec.quality_map:
    quality_map = jnp.full(images.shape[:3], quality_maps.NEUTRAL)
  else:
    return images
  return jnp.concatenate([images, quality_map[..., None]], -1)


def _check_takes_map(model: Model) -> None:
  if not model.spec.quality_map:
    raise JaxlicError(
      f"{model.spec.name} takes no quality map; use a model that does"
    )


def _checked_map(quality_map: Map, size: tuple[int, int]) -> np.ndarray:
  try:
    values = np.asarray(quality_map, np.float32)
  except (TypeError, ValueError):
    values = np.zeros(0)
  if values.shape != size:
    raise JaxlicError(
      f"a quality map is an array with a number per pixel, {size[0]} x "
      f"{size[1]}, got {type(quality_map).__name__} {values.shape}; resize it"
    )
  _check_values("a quality map's values", values)
  return values


def _check_values(name: str, values: np.ndarray) -> None:
  if not (values.min() >= 0 and values.max() <= 1):  # False for NaN, too
    raise JaxlicError(
      f"{name} are within 0..1, got {values.min()}..{values.max()}; divide "
      "8-bit samples by 255"
    )


def _vector(rate: float) -> Float[Array, "1"]:
  return jnp.full((1,), rate, jnp.float32)


def _grid(model: Model, height: int, width: int) -> tuple[int, int]:
  stride = model.spec.stride
  return -(-height // stride), -(-width // stride)


def _padded(
  model: Model, image: Image, quality_map: Map | None
) -> Float[Array, "1 h w c"]:
  """The input with its last row and column repeated up to whole blocks."""
  height, width = image.shape[:2]
  _check_area(model, height, width)
  image = np.asarray(image, np.float32)
  _check_values("an image's values", image)
  if quality_map is not None:
    _check_takes_map(model)
    quality_map = _checked_map(quality_map, image.shape[:2])[None]
  image = np.asarray(_with_map(model, image[None], quality_map))[0]
  rows, columns = (n * model.spec.stride for n in _grid(model, height, width))
  pad = ((0, rows - height), (0, columns - width), (0, 0))
  return jnp.asarray(np.pad(image, pad, mode="edge")[None])
