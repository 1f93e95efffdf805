"""A codec whose y is coded under mixtures, made of other models' parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models, zoo
from jaxlic.densities import mixture
from jaxlic.densities.mixture import Mixture
from jaxlic.errors import JaxlicError
from jaxlic.models.parts.published import model_spec
from jaxlic.models.parts.skeleton import code_whole, hyperprior, transforms
from jaxlic.nn import gdn_networks, hyper_networks
from jaxlic.quantize import rounding, surrogates
from jaxlic.types import Model, ModelSpec, Quality, Stage, StageSpec

WIDTH, LATENT, K = 4, 4, 3
DENSITY = mixture.make()
PLAIN = rounding.plain(surrogates.make("mixed"))


def _image(height, width):
  return np.random.default_rng(0).random((height, width, 3), np.float32)


def _predict(params, context, grid):
  """Parameters of every kind, whatever the untrained network says."""
  parts = jnp.split(context["hyper"], 3, -1)
  mean, scale, logits = (p.reshape(*p.shape[:3], LATENT, K) for p in parts)
  return Mixture(40 * mean, jnp.exp(60 * scale), 60 * logits)


@functools.cache
def _hyperprior():
  """A hyperprior of toy size whose y is a mixture, and its parameters."""
  model = hyperprior(
    model_spec("mixture", 4),
    transforms(
      gdn_networks.Analysis(WIDTH, LATENT),
      gdn_networks.Synthesis(WIDTH),
      hyper_networks.HyperAnalysis(WIDTH),
      hyper_networks.HyperSynthesis(3 * K * LATENT // 2),
      latent=LATENT,
      hyper_latent=WIDTH,
    ),
    surrogates.make("mixed"),
    [code_whole(LATENT, PLAIN, DENSITY, _predict)],
  )
  params = jax.jit(model.init)(jax.random.key(0, impl="unsafe_rbg"))
  random = np.random.default_rng(1)
  return model, jax.tree.map(
    lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape).astype("f4"),
    jax.device_get(params),
  )


@pytest.mark.newest
def test_decoding_gives_what_evaluation_shows():
  # On one pixel, see the test of exports.
  model, params = _hyperprior()
  built, image = _codec(), _image(66, 100)
  tables = built.freeze(params)
  payload = built.encode(params, tables, image)
  decoded = np.asarray(built.decode(params, tables, payload))
  np.testing.assert_array_equal(decoded, built.evaluate(params, image).image)


@functools.cache
def _codec():
  return codec.make(_hyperprior()[0])


@pytest.mark.slow
def test_training_has_finite_gradients():
  model, params = _hyperprior()
  images = jnp.asarray(_image(32, 32))[None]
  keys = jax.random.split(jax.random.key(0), 1)

  def loss(params):
    outcome = _codec().apply(params, images, Quality(jnp.zeros(1)), keys)
    return (outcome.image**2).sum() + outcome.bits["y"].sum()

  gradients = jax.jit(jax.grad(loss))(params)
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
  # Means, scales and weights all learn.
  last = gradients["hyper_synthesis"]["params"]["conv2"]["bias"]
  assert (jnp.abs(last.reshape(3, -1)).max(1) > 0).all()


def _matched(spread, side=40, channels=16):
  """A model of one stage whose parameters are latents and their mixtures.

  Scales are from 0.14 up to `exp(spread)` times as much, and a bit beyond.
  """
  rng = np.random.default_rng(2)
  shape = (1, side, side, channels, K)
  scale = np.exp(spread * rng.random((*shape[:4], 1)) - 2)
  scale = np.maximum(scale * np.exp(0.4 * rng.normal(size=shape)), 0.11)
  mean, logits = scale * rng.normal(size=shape), 2 * rng.normal(size=shape)
  weights = np.exp(logits).cumsum(-1)
  chosen = rng.random((*shape[:4], 1)) * weights[..., -1:] > weights
  chosen = chosen.sum(-1, keepdims=True)
  y = np.take_along_axis(mean + scale * rng.normal(size=shape), chosen, -1)
  params = {"y": y[..., 0], "mean": mean, "scale": scale, "logits": logits}

  def predict(params, context, grid):
    return Mixture(params["mean"], params["scale"], params["logits"])

  stage = Stage(
    StageSpec("y", 1, channels),
    PLAIN,
    DENSITY,
    predict,
    lambda params, context, y_hat, grid: context | {"y": y_hat},
  )
  model = Model(
    ModelSpec("matched", 1),
    lambda key: params,
    lambda params, image, quality: params["y"],
    lambda params, y, quality: {"y": y},
    (stage,),
    lambda params, context: jax.nn.sigmoid(context["y"][..., :3]),
  )
  return model, jax.tree.map(lambda leaf: jnp.asarray(leaf, "f4"), params)


@pytest.mark.parametrize("spread", [1.5, 6.0])
def test_file_size_matches_the_rate_estimate(spread):
  model, params = _matched(spread)
  built = codec.make(model)
  tables = built.freeze(params)
  payload = built.encode(params, tables, _image(40, 40))
  shown = built.evaluate(params, _image(40, 40))
  bits = shown.bits["y"]
  # Rounded parameters cost up to 0.2 %, those near an edge some 20 bytes.
  assert -0.001 * bits < 8 * len(payload.data) - bits < 0.01 * bits + 8 * 64
  decoded = built.decode(params, tables, payload)
  np.testing.assert_array_equal(decoded, shown.image)


def test_files_decode_where_arithmetic_differs(monkeypatch):
  # As in test_codec: errors and edges are both enlarged.
  monkeypatch.setattr(mixture, "EDGE_WIDTH", 0.005)
  monkeypatch.setattr(mixture, "EDGE_SHARE", 2e-4)
  model, params = _matched(4.0)
  model, image = _edges_apart(model), _image(40, 40)
  built, other = codec.make(model), codec.make(_elsewhere(model))
  tables = built.freeze(params)
  payload = built.encode(params, tables, image)
  wanted = built.evaluate(params, image).image
  decoded = other.decode(params, tables, payload)
  np.testing.assert_array_equal(decoded, wanted)

  unaware = _with_edges(
    model, lambda known: jnp.zeros_like(DENSITY.rows(known), bool)
  )
  payload = codec.make(unaware).encode(params, tables, image)
  with pytest.raises(JaxlicError, match="symbols do not match|damaged"):
    codec.make(_elsewhere(unaware)).decode(params, tables, payload)


def _edges_apart(model):
  """The model whose edges are compiled apart from those of other tests."""
  return _with_edges(model, lambda known: DENSITY.near_edge(known))


def _with_edges(model, near_edge):
  (stage,) = model.stages
  density = stage.density._replace(near_edge=near_edge)
  return model._replace(stages=(stage._replace(density=density),))


def _elsewhere(model):
  """The model on a device whose predictions differ a little."""
  (stage,) = model.stages

  def predict(*args):
    mean, scale, logits = stage.predict(*args)
    keys = jax.random.split(jax.random.key(3), 3)
    errors = [jax.random.uniform(k, mean.shape, minval=-1) for k in keys]
    return Mixture(
      mean + 1e-4 * (jnp.abs(mean) + scale) * errors[0],
      scale * (1 + 0.004 * 0.123 * errors[1]),
      logits + 1e-4 * errors[2],
    )

  return model._replace(stages=(stage._replace(predict=predict),))


def test_tables_survive_an_export(tmp_path, monkeypatch):
  model, params = _hyperprior()
  monkeypatch.setitem(models.MODELS, "mixture", lambda: model)
  exported = zoo.export(
    tmp_path, name="toy", architecture="mixture", options={}, params=params
  )
  frozen = DENSITY.freeze({})
  for stored, array in zip(exported.tables["y"], frozen, strict=True):
    np.testing.assert_array_equal(stored, array)
  image = _image(1, 1)
  payload = exported.codec.encode(exported.params, exported.tables, image)
  decoded = exported.codec.decode(exported.params, exported.tables, payload)
  shown = exported.codec.evaluate(exported.params, image).image
  np.testing.assert_array_equal(decoded, shown)
