"""From one description of a model to everything that is done with it.

`make(model)` derives training, evaluation, encoding and decoding by visiting
the model's stages in order. The walks differ only in where the value of a
stage's latent comes from, and evaluation, encoding and decoding run the same
compiled functions on the same symbols: `decode(encode(x)) == evaluate(x)` holds
by construction.

Between symbols and pixels nothing else is compiled than these functions, per
stage: `predict` (what is known -> prediction and table rows), `quantize`
(latent -> symbols), `absorb` (symbols -> what is known).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxlic.coding import container, range_coder, ties
from jaxlic.types import (
  Codec,
  Context,
  JaxlicError,
  Model,
  Outcome,
  Params,
  Payload,
  Stage,
  Tables,
)

# Whole blocks of the largest images, and of strips that are mostly padding.
MAX_AREA = container.MAX_PIXELS + 2**22

Image = Float[Array, "H W 3"] | Float[np.ndarray, "H W 3"]


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


class _Compiled(NamedTuple):
  """The functions that evaluation, encoder and decoder share."""

  analyze: Callable
  predict: list[Callable]
  close: list[Callable | None]
  quantize: list[Callable]
  absorb: list[Callable]
  bits: list[Callable]
  synthesize: Callable


def _compile(model: Model) -> _Compiled:
  # Accelerators multiply in lower precision unless they are told not to, and
  # other devices must agree on `predict` and `absorb` to a few last bits.
  exact = jax.default_matmul_precision("highest")

  @exact
  def predict(stage: Stage, params, context, *, grid):
    prediction = stage.predict(params, context, grid)
    return prediction, stage.density.rows(prediction)

  @exact
  def absorb(stage: Stage, params, context, symbols, prediction, *, grid):
    y_hat = stage.quantizer.from_symbols(symbols, prediction)
    return stage.absorb(params, context, y_hat, grid)

  @exact
  def synthesize(params, context):
    return jnp.clip(model.synthesize(params, context), 0, 1)

  def bits(stage: Stage, params, symbols, prediction):
    y_hat = stage.quantizer.from_symbols(symbols, prediction)
    return stage.density.bits(params, y_hat, prediction).sum()

  def each(function, **options):
    return [
      jax.jit(functools.partial(function, stage), **options)
      for stage in model.stages
    ]

  return _Compiled(
    analyze=jax.jit(exact(model.analyze)),
    predict=each(predict, static_argnames="grid"),
    close=[s.density.close and jax.jit(s.density.close) for s in model.stages],
    quantize=[jax.jit(stage.quantizer.to_symbols) for stage in model.stages],
    absorb=each(absorb, static_argnames="grid"),
    bits=each(bits),
    synthesize=jax.jit(synthesize),
  )


def _apply(
  model: Model,
  params: Params,
  images: Float[Array, "b H W 3"],
  rate: Float[Array, "b"],
  keys: Key[Array, "b"],
  temperature: float | Float[Array, ""] = 1.0,
) -> Outcome:
  """Returns images and bits [b] per stage under the training surrogates.

  An image's noise depends on its own key alone, so that the outcome is the same
  however many devices share a batch. Sides are multiples of the model's stride.
  """
  stride = model.spec.stride
  grid = (images.shape[1] // stride, images.shape[2] // stride)
  latents = model.analyze(params, images, rate)
  context: Context = {"rate": rate}
  bits = {}
  for i, stage in enumerate(model.stages):
    stage_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
    prediction = stage.predict(params, context, grid)
    latent = latents[stage.spec.name]
    relaxed = stage.quantizer.surrogate(
      latent, prediction, stage_keys, temperature
    )
    cost = stage.density.bits(params, relaxed.coded, prediction)
    bits[stage.spec.name] = cost.sum((1, 2, 3))
    context = stage.absorb(params, context, relaxed.value, grid)
  return Outcome(model.synthesize(params, context), bits)


def _evaluate(
  model: Model,
  compiled: _Compiled,
  params: Params,
  image: Image,
  rate: float = 0.0,
) -> Outcome:
  """Returns the image that a decoder will show, and the estimate of its bits.

  Raises:
    JaxlicError: As `encode`.
  """
  rate = _checked_rate(model, rate)
  latents = compiled.analyze(params, _padded(model, image), _vector(rate))
  bits = {}

  def quantize(i: int, stage: Stage, prediction, rows):
    symbols = compiled.quantize[i](latents[stage.spec.name], prediction)
    cost = compiled.bits[i](params, symbols, prediction)
    bits[stage.spec.name] = float(cost)
    return symbols

  size = image.shape[:2]
  context = _visit(model, compiled, params, size, rate, quantize)
  shown = compiled.synthesize(params, context)
  return Outcome(shown[0, : size[0], : size[1]], bits)


def _freeze(model: Model, params: Params) -> dict[str, Tables]:
  """Returns each stage's integer tables; keep them with the parameters."""
  return {s.spec.name: s.density.freeze(params) for s in model.stages}


def _encode(
  model: Model,
  compiled: _Compiled,
  params: Params,
  tables: dict[str, Tables],
  image: Image,
  rate: float = 0.0,
) -> Payload:
  """Returns the coded image.

  Raises:
    JaxlicError: If `rate` is not a quality of this model, or the image is
      empty, too large, or has values outside [0, 1].
  """
  rate = _checked_rate(model, rate)
  latents = compiled.analyze(params, _padded(model, image), _vector(rate))
  coder = range_coder.Encoder()
  models = _coder_models(tables)
  sent = []

  def send(i: int, stage: Stage, prediction, rows):
    symbols = compiled.quantize[i](latents[stage.spec.name], prediction)
    rows = np.asarray(rows).ravel()
    if compiled.close[i]:
      ties.push(coder, rows, np.asarray(compiled.close[i](prediction)).ravel())
    sent.append(np.asarray(symbols).ravel())
    coder.push(sent[-1], rows, models[stage.spec.name])
    return symbols

  height, width = image.shape[:2]
  _visit(model, compiled, params, (height, width), rate, send)
  return Payload(height, width, rate, range_coder.check(sent), coder.finish())


def _decode(
  model: Model,
  compiled: _Compiled,
  params: Params,
  tables: dict[str, Tables],
  payload: Payload,
) -> Float[Array, "H W 3"]:
  """Returns the image, values in [0, 1].

  Raises:
    JaxlicError: If the payload is damaged, or was written with other weights
      or where arithmetic differs too much.
  """
  rate = _checked_rate(model, payload.rate)
  _check_area(model, payload.height, payload.width)
  coder = range_coder.Decoder(payload.data)
  models = _coder_models(tables)
  received = []

  def receive(i: int, stage: Stage, prediction, rows):
    shape, rows = rows.shape, np.asarray(rows).ravel()
    if compiled.close[i]:
      rows = ties.pop(coder, rows)
    received.append(coder.pop(rows, models[stage.spec.name]))
    return received[-1].reshape(shape)

  size = payload.height, payload.width
  context = _visit(model, compiled, params, size, rate, receive)
  _check_symbols(received, payload.check)
  return compiled.synthesize(params, context)[0, : size[0], : size[1]]


def _visit(model, compiled, params, size, rate, symbols_of) -> Context:
  """Visits all stages of an image of `size` (h, w); returns what is known.

  `symbols_of(i, stage, prediction, rows)` gives a stage's symbols.
  """
  context: Context = {"rate": _vector(rate)}
  grid = _grid(model, *size)
  for i, stage in enumerate(model.stages):
    prediction, rows = compiled.predict[i](params, context, grid=grid)
    symbols = symbols_of(i, stage, prediction, rows)
    context = compiled.absorb[i](
      params, context, symbols, prediction, grid=grid
    )
  return context


def _check_symbols(received: list[np.ndarray], expected: int) -> None:
  found = range_coder.check(received)
  if found != expected:
    raise JaxlicError(
      f"the symbols do not match their check ({found:#06x}, expected "
      f"{expected:#06x}): the file was written with other weights, or where "
      "arithmetic differs too much; decode it with those, or there"
    )


def _coder_models(tables: dict[str, Tables]) -> dict[str, Any]:
  """The tables in the coder's form; stages may share one."""
  made = {}
  for table in tables.values():
    if id(table) not in made:
      made[id(table)] = range_coder.compile_tables(table)
  return {name: made[id(table)] for name, table in tables.items()}


def _checked_rate(model: Model, rate: float) -> float:
  """The rate as the file will hold it; 0 for models of one rate."""
  top = model.spec.max_quality
  if top == 0:
    return 0.0
  if not 0 <= rate <= top:
    raise JaxlicError(
      f"quality is a number from 0 to {top} for {model.spec.name}, got {rate}"
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


def _vector(rate: float) -> Float[Array, "1"]:
  return jnp.full((1,), rate, jnp.float32)


def _grid(model: Model, height: int, width: int) -> tuple[int, int]:
  stride = model.spec.stride
  return -(-height // stride), -(-width // stride)


def _padded(model: Model, image: Image) -> Float[Array, "1 h w 3"]:
  """The image with its last row and column repeated up to whole blocks."""
  height, width = image.shape[:2]
  _check_area(model, height, width)
  image = np.asarray(image, np.float32)
  if not (image.min() >= 0 and image.max() <= 1):  # False for NaN, too
    raise JaxlicError(
      f"an image's values are within 0..1, got {image.min()}..{image.max()}; "
      "divide 8-bit samples by 255"
    )
  rows, columns = (n * model.spec.stride for n in _grid(model, height, width))
  pad = ((0, rows - height), (0, columns - width), (0, 0))
  return jnp.asarray(np.pad(image, pad, mode="edge")[None])
