"""The traceable walk over a model's stages, and training's use of it."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.codec import batches, inputs, ordered
from jaxlic.types import (
  Context,
  Grid,
  Known,
  Model,
  Outcome,
  Params,
  Prediction,
  Quality,
  Stage,
)

# From a stage, and what predicts it by neighbours, to the value of its latent.
ValueOf = Callable[[Stage, ordered.Predictor], Array]


def analyze(
  model: Model,
  params: Params,
  images: Float[Array, "b H W 3"],
  quality: Quality,
) -> dict[str, Array]:
  """Returns the latent of every stage; a map that is missing is neutral."""
  quality = inputs.with_map(model.spec, quality, images.shape)
  return model.latents(params, model.analyze(params, images, quality), quality)


def walk(
  model: Model, params: Params, context: Context, grid: Grid, value_of: ValueOf
) -> Context:
  """Visits the stages in order; returns what is known in the end.

  Args:
    model: The model.
    params: Its parameters.
    context: What is known at first, see `begin`.
    grid: Positions of the image (h, w), each of the model's stride.
    value_of: (stage, predict) -> the value of the stage's latent. `predict()`
      is what is known of it; for a stage with an order `predict(value)` is,
      had `value` been decoded around each position.
  """
  for stage in model.stages:
    predict = ordered.predictor(stage, params, context, grid)
    value = value_of(stage, predict)
    context = stage.absorb(params, context, value, grid)
  return context


def begin(level: Float[Array, "b"]) -> Context:
  """Returns what decoders know before the first stage."""
  return {"quality": Quality(level)}


def apply(
  model: Model,
  params: Params,
  images: batches.Images,
  quality: batches.Qualities,
  keys: batches.Keys,
  temperature: float | Float[Array, ""] = 1.0,
) -> Outcome:
  """Returns images and bits [b] per stage under the training surrogates.

  An image's noise depends on its own key alone, so that the outcome is the same
  however many devices share a batch.

  Args:
    model: The model.
    params: Its parameters.
    images: Floats [b H W 3] in [0, 1], of whole strides.
    quality: A level per image, [b].
    keys: Likewise, of the noise.
    temperature: Of surrogates that have one.

  Raises:
    JaxlicError: If images are no batch, their sides are no multiples of the
      model's stride, or each has not a level and a key.
  """
  batches.check_batch(model.spec, images, quality, keys)
  latents = analyze(model, params, images, quality)
  stage_keys = {
    stage.spec.name: jax.vmap(jax.random.fold_in, (0, None))(keys, i)
    for i, stage in enumerate(model.stages)
  }
  bits = {}

  def value_of(stage: Stage, predict: ordered.Predictor) -> Array:
    name = stage.spec.name
    relax = functools.partial(
      stage.quantizer.surrogate,
      latents[name],
      keys=stage_keys[name],
      temperature=temperature,
    )
    known = _refined(predict, lambda known: relax(known).value)
    relaxed = relax(known)
    rated = stage.density.training_bits or stage.density.bits
    cost = rated(params, relaxed.coded, known)
    bits[name] = cost.sum(tuple(range(1, cost.ndim)))
    return relaxed.value

  grid = inputs.grid(model.spec, *images.shape[1:3])
  context = walk(model, params, begin(quality.level), grid, value_of)
  return Outcome(model.synthesize(params, context), bits)


def _refined(
  predict: ordered.Predictor, relax: Callable[[Known], Array]
) -> Known:
  """What is known of a stage, all of whose positions are relaxed at once.

  Where a relaxed value depends on the mean, which depends on its neighbours'
  values, two rounds from a mean of zero are exact for two groups, and close for
  more. Elsewhere both are the same, and compiled to one.
  """
  known = predict()
  if predict.groups == 1:
    return known
  known = jax.tree.map(_zero, known, is_leaf=_is_prediction)
  for _ in range(2):
    known = predict(relax(known))
  return known


def _zero(known: Known) -> Known:
  """A prediction of zeros; what else is known depends on no neighbours."""
  if _is_prediction(known):
    return jax.tree.map(jnp.zeros_like, known)
  return known


def _is_prediction(known: Known) -> bool:
  return isinstance(known, Prediction)
