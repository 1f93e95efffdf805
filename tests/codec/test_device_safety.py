"""Densities whose rows depend on floats say which rows lie near an edge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.codec import device_safety
from jaxlic.densities import gaussian, mixture
from jaxlic.errors import JaxlicError
from jaxlic.quantize import surrogates
from jaxlic.types import Model, ModelSpec, Prediction, Stage, StageSpec

IMAGE = np.random.default_rng(0).random((9, 7, 3), np.float32)
KNOWN = Prediction(jnp.zeros((1, 2, 3, 4)), jnp.ones((1, 2, 3, 4)))
SHAPE = KNOWN.mean.shape
PARAMS = {"log_scale": jnp.zeros((1, 1, 1, 3))}


def channels(known):
  numbers = jnp.arange(known.mean.shape[-1], dtype=jnp.int32)
  return jnp.broadcast_to(numbers, known.mean.shape)


def halves(a, b):
  return a.astype(jnp.int32), b.astype(jnp.int32)


@pytest.mark.parametrize(
  "rows",
  [
    gaussian.by_scale().rows,
    gaussian.by_index().rows,
    jax.jit(gaussian.by_index().rows),
    lambda known: jnp.where(known.scale > 1, 1, 0),
    lambda known: jnp.argsort(known.mean, -1),
    lambda known: jax.jit(halves)(jnp.zeros(SHAPE), known.scale)[1],
    lambda known: jax.lax.fori_loop(
      0, 3, lambda _, x: x + 1, jnp.int32(known.scale)
    ),
  ],
)
def test_rows_that_values_choose_depend_on_floats(rows):
  assert device_safety.depends_on_floats(rows, KNOWN)


@pytest.mark.parametrize(
  "rows",
  [
    channels,
    jax.jit(channels),
    lambda known: jnp.zeros_like(known.scale, jnp.int32),
    lambda known: jax.jit(halves)(jnp.zeros(SHAPE), known.scale)[0],
    lambda known: jax.lax.fori_loop(
      0, 3, lambda _, x: x + 1, jnp.zeros(SHAPE, jnp.int32)
    ),
  ],
)
def test_rows_that_shapes_choose_depend_on_no_floats(rows):
  assert not device_safety.depends_on_floats(rows, KNOWN)


def test_rows_that_integers_choose_depend_on_no_floats():
  known = {"level": jnp.zeros((1,), jnp.int32), "mean": KNOWN.mean}

  def rows(known):
    level = known["level"].reshape(-1, 1, 1, 1)
    return jnp.broadcast_to(level, known["mean"].shape)

  assert not device_safety.depends_on_floats(rows, known)


def test_indices_of_mixtures_depend_on_floats():
  known = mixture.Mixture(*(jnp.ones((*SHAPE, 3)) for _ in range(3)))
  assert device_safety.depends_on_floats(mixture.make().rows, known)


def tiny(density):
  """A model of pixels, whose scales are what it knows."""

  def predict(params, context, grid):
    zero = jnp.zeros((1, *grid, 3))
    return Prediction(zero, zero + jnp.exp(params["log_scale"]))

  stage = Stage(
    StageSpec("y", 1, 3),
    surrogates.make("noise"),
    density,
    predict,
    lambda params, context, y_hat, grid: context | {"y": y_hat},
  )
  return Model(
    ModelSpec("tiny", 1),
    lambda key: {"log_scale": jnp.zeros((1, 1, 1, 3))},
    lambda params, image, quality: 8 * image,
    lambda params, y, quality: {"y": y},
    (stage,),
    lambda params, context: context["y"] / 8,
  )


SAFE = gaussian.by_scale()
LINE = (
  "a density whose rows depend on floats has a near_edge, that of stage 'y' of "
  "tiny has none, .*; give it one"
)


@pytest.mark.parametrize(
  "use",
  [
    lambda built, tables, image: built.encode(PARAMS, tables, image),
    lambda built, tables, image: built.evaluate(PARAMS, image),
    lambda built, tables, image: built.decode(
      PARAMS, tables, codec.make(tiny(SAFE)).encode(PARAMS, tables, image)
    ),
  ],
)
def test_a_density_that_lists_no_edges_is_refused(use):
  built = codec.make(tiny(SAFE._replace(near_edge=None)))
  with pytest.raises(JaxlicError, match=LINE):
    use(built, built.freeze(PARAMS), IMAGE)


def test_it_is_refused_before_training():
  with pytest.raises(JaxlicError, match=LINE):
    codec.check_rows(tiny(SAFE._replace(near_edge=None)))


@pytest.mark.parametrize(
  "density",
  [
    SAFE,
    SAFE._replace(near_edge=None, rows=channels),
    SAFE._replace(near_edge=None, channel_rows=lambda level, c: np.arange(c)),
  ],
)
def test_edges_channels_or_a_declaration_are_enough(density):
  codec.check_rows(tiny(density))


def test_an_ordered_stage_is_refused_before_training():
  model = models.make("mbt2018", width=6, latent=8)
  stages = (
    s._replace(density=s.density._replace(near_edge=None)) for s in model.stages
  )
  with pytest.raises(JaxlicError, match="stage 'y' of mbt2018 has none"):
    codec.check_rows(model._replace(stages=tuple(stages)))


def test_rows_are_looked_at_once_per_shape():
  traced = []

  def rows(known):
    traced.append(known.mean.shape)
    return channels(known)

  built = codec.make(tiny(SAFE._replace(near_edge=None, rows=rows)))
  tables = built.freeze(PARAMS)
  built.encode(PARAMS, tables, IMAGE)
  once = len(traced)
  payload = built.encode(PARAMS, tables, 1 - IMAGE)
  decoded = built.decode(PARAMS, tables, payload)
  assert 0 < once == len(traced)
  np.testing.assert_array_equal(
    decoded, built.evaluate(PARAMS, 1 - IMAGE).image
  )


def test_nothing_is_traced_for_models_of_this_package():
  for name in models.MODELS:
    model = models.make(name)
    assert device_safety.guarded(model) is model, name
