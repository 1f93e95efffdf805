"""`make`: a model's evaluation, encoder and decoder.

What the host drives runs one compiled function after another, of `compiled`, on
one image, and codes its integers by `payloads`. What JAX transforms is a
program of its own, see `batched`.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxlic.codec import batched, device_safety, inputs, payloads, traceable
from jaxlic.codec.compiled import Compiled, Portion, compile_model, visit
from jaxlic.codec.inputs import Image, Map, checked_quality
from jaxlic.types import (
  AnyTables,
  Codec,
  Coded,
  Known,
  Model,
  Outcome,
  Params,
  Payload,
)


def make(model: Model) -> Codec:
  """Returns the codec of a model: pure functions, compiled on first use.

  They refuse densities whose files another device could not decode.
  """
  model = device_safety.guarded(model)
  compiled = compile_model(model)
  of_batches = batched.compile_model(model)
  return Codec(
    init=model.init,
    apply=functools.partial(traceable.apply, model),
    evaluate=_moving(functools.partial(_evaluate, model, compiled, of_batches)),
    freeze=_moving(functools.partial(_freeze, model)),
    encode=_moving(functools.partial(_encode, model, compiled)),
    decode=_moving(functools.partial(_decode, model, compiled)),
    quantize=_moving(functools.partial(batched.quantize, model, of_batches)),
    reconstruct=_moving(
      functools.partial(batched.reconstruct, model, of_batches)
    ),
    push=_moving(functools.partial(payloads.push, model)),
    pop=_moving(functools.partial(payloads.pop, model, compiled)),
  )


def _moving(function: Callable) -> Callable:
  """The function, which moves arrays whatever JAX_TRANSFER_GUARD says.

  Files are coded on the host, and networks run on a device.
  """

  @functools.wraps(function)
  def moving(*arguments, **keywords):
    with jax.transfer_guard("allow"):
      return function(*arguments, **keywords)

  return moving


def _evaluate(
  model: Model,
  compiled: Compiled,
  of_batches: batched.Compiled,
  params: Params,
  image: Image,
  quality: float | Float[Array, ""] = 0.0,
  quality_map: Map | None = None,
) -> Outcome:
  """Returns the image that a decoder will show, and the estimate of its bits.

  Where an argument is traced it is `reconstruct` of `quantize`, in one program,
  and the bits are arrays.

  Raises:
    JaxlicError: As `encode`; where nothing is traced, values are judged, too.
  """
  given = params, image, quality, quality_map
  if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(given)):
    return batched.evaluate(model, of_batches, *given)
  level = checked_quality(model.spec, float(quality))
  latents = _latents(model, compiled, params, image, level, quality_map)
  costs: dict[str, list] = {stage.spec.name: [] for stage in model.stages}

  def quantize(portion: Portion, known: Known, rows: Array) -> Array:
    symbols = portion.quantize(latents, known)
    cost = portion.steps.bits(params, symbols, known, portion.coded)
    costs[portion.stage.spec.name].append(cost)
    return symbols

  height, width = image.shape[:2]
  context = visit(model, compiled, params, (height, width), level, quantize)
  shown = compiled.synthesize(params, context)
  bits = {name: float(np.sum(cost)) for name, cost in costs.items()}
  return Outcome(shown[0, :height, :width], bits)


def _freeze(model: Model, params: Params) -> dict[str, AnyTables]:
  """Returns each stage's integer tables; keep them with the parameters."""
  return {s.spec.name: s.density.freeze(params) for s in model.stages}


def _encode(
  model: Model,
  compiled: Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  image: Image,
  quality: float = 0.0,
  quality_map: Map | None = None,
) -> Payload:
  """Returns the coded image.

  Without a `quality_map`, models that take one see 1/2 everywhere.

  Raises:
    JaxlicError: If `quality` is not one of this model; if the image is empty,
      too large, or has values outside [0, 1]; if the model takes no quality
      map, or this one is not of the image's size, within [0, 1].
  """
  level = checked_quality(model.spec, quality)
  latents = _latents(model, compiled, params, image, level, quality_map)
  sent: payloads.Portions = {s.spec.name: [] for s in model.stages}

  def collect(portion: Portion, known: Known, rows: Array) -> Array:
    symbols = portion.quantize(latents, known)
    near_edge = portion.steps.near_edge
    coded = Coded(symbols, rows, near_edge and near_edge(known))
    sent[portion.stage.spec.name].append(
      jax.tree.map(portion.by_position, coded)
    )
    return symbols

  height, width = image.shape[:2]
  visit(model, compiled, params, (height, width), level, collect)
  models = payloads.coder_models(tables)
  return payloads.write(model, models, sent, (height, width), level)


def _decode(
  model: Model,
  compiled: Compiled,
  params: Params,
  tables: dict[str, AnyTables],
  payload: Payload,
) -> Float[Array, "H W 3"]:
  """Returns the image, values in [0, 1].

  Raises:
    JaxlicError: If the payload is damaged, or was written with other weights
      or where arithmetic differs too much.
  """
  models = payloads.coder_models(tables)
  context, _ = payloads.read(model, compiled, params, models, payload)
  shown = compiled.synthesize(params, context)
  return shown[0, : payload.height, : payload.width]


def _latents(
  model: Model,
  compiled: Compiled,
  params: Params,
  image: Image,
  level: float,
  quality_map: Map | None,
) -> dict[str, Array]:
  blocks, wanted = inputs.padded(model.spec, image, level, quality_map)
  return compiled.analyze(params, blocks, wanted)
