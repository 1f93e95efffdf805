"""A codec of which one latent has nothing to do with the image's grid."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec
from jaxlic.densities import gaussian
from jaxlic.evaluation import complexity
from jaxlic.models.parts.stages import absorb_as
from jaxlic.quantize import surrogates
from jaxlic.types import Model, ModelSpec, Prediction, Quality, Stage, StageSpec

STRIDE, COUNT = 8, 5


def _predict_weights(params, context, grid):
  shape = (len(context["quality"].level), COUNT, 3)
  scale = jnp.broadcast_to(jnp.exp(params["log_scale"]), shape)
  return Prediction(mean=jnp.zeros(shape), scale=scale)


def _predict_y(params, context, grid):
  """Around the mean of the weights."""
  mean = context["weights"].mean(1)[:, None, None]
  mean = jnp.broadcast_to(mean, (len(mean), *grid, 3))
  return Prediction(mean=mean, scale=jnp.full_like(mean, 6.0))


def _latents(params, image, quality):
  """The weights [b 5 3], and the mean colours of blocks [b h w 3]."""
  weights = image.mean((1, 2)) @ params["matrix"]
  rows, columns = (side // STRIDE for side in image.shape[1:3])
  blocks = image.reshape(-1, rows, STRIDE, columns, STRIDE, 3)
  return {
    "weights": weights.reshape(-1, COUNT, 3),
    "y": 20 * blocks.mean((2, 4)),
  }


def _synthesize(params, context):
  colour = jnp.tanh(context["weights"]).sum(1)[:, None, None]
  image = (context["y"] + colour) / 20
  return image.repeat(STRIDE, 1).repeat(STRIDE, 2)


def _init(key):
  matrix = 3 * jax.random.normal(key, (3, 3 * COUNT))
  return {"matrix": matrix, "log_scale": jnp.linspace(1, 2, COUNT)[:, None]}


@functools.cache
def _toy():
  """(the model, its codec, parameters and tables)."""
  quantizer, density = surrogates.make("straight"), gaussian.by_scale()
  weights = StageSpec("weights", None, 3, axes=1)
  model = Model(
    ModelSpec("weighted", STRIDE),
    _init,
    analyze=lambda params, image, quality: image,
    latents=_latents,
    stages=(
      Stage(
        weights, quantizer, density, _predict_weights, absorb_as("weights")
      ),
      Stage(
        StageSpec("y", STRIDE, 3),
        quantizer,
        density,
        _predict_y,
        absorb_as("y"),
      ),
    ),
    synthesize=_synthesize,
  )
  built, params = codec.make(model), model.init(jax.random.key(0))
  return model, built, params, built.freeze(params)


def _image(height, width):
  return np.random.default_rng(1).random((height, width, 3), np.float32)


@pytest.mark.newest
@pytest.mark.parametrize("size", [(1, 1), (17, 30)])
def test_decoding_gives_what_evaluation_shows(size):
  _, built, params, tables = _toy()
  image = _image(*size)
  payload = built.encode(params, tables, image)
  decoded = built.decode(params, tables, payload)
  shown, bits = built.evaluate(params, image)
  np.testing.assert_array_equal(decoded, shown)
  # Whole bytes, and the lists of rows near an edge.
  assert abs(8 * len(payload.data) - sum(bits.values())) < 32


def test_training_has_the_bits_of_the_file():
  _, built, params, _ = _toy()
  images = jnp.stack([_image(16, 24), 1 - _image(16, 24) / 3])
  keys = jax.random.split(jax.random.key(0), 2)

  @functools.partial(jax.value_and_grad, has_aux=True)
  def rate(params):
    outcome = built.apply(params, images, Quality(jnp.zeros(2)), keys)
    return outcome.bits["weights"].sum(), outcome

  (_, outcome), gradients = jax.jit(rate)(params)
  assert {name: cost.shape for name, cost in outcome.bits.items()} == {
    "weights": (2,),
    "y": (2,),
  }
  for k, image in enumerate(images):
    shown, bits = built.evaluate(params, image)
    for name, cost in bits.items():
      assert outcome.bits[name][k] == pytest.approx(cost, rel=1e-5)
    np.testing.assert_allclose(
      outcome.image[k].clip(0, 1), shown, rtol=1e-5, atol=1e-6
    )
  for leaf in jax.tree.leaves(gradients):
    assert jnp.isfinite(leaf).all() and (leaf != 0).any()


def test_its_complexity_is_that_of_its_products():
  cost = complexity.measure(_toy()[0])
  assert cost.parameters == 3 * 3 * COUNT + COUNT
  pixels = complexity.HEIGHT * complexity.WIDTH
  products = [1000 * pixels * x for x in (cost.encode_kmac, cost.decode_kmac)]
  np.testing.assert_allclose(products, [3 * 3 * COUNT, 0], rtol=1e-9)
