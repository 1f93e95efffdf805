import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.types import JaxlicError
from tests.conftest import TOY_OPTIONS, make_toy

SIZES = [(1, 1), (17, 3), (63, 65), (130, 200)]


def _photo(height, width, seed=0):
  """A smooth random image with an edge and some noise, values in [0, 1]."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width] / 40
  waves = [np.sin(a * x + b * y + c) for a, b, c in rng.normal(size=(3, 3))]
  image = 0.5 + 0.25 * np.stack(waves, -1) + 0.2 * (x > y)[..., None]
  image += rng.normal(scale=0.03, size=image.shape)
  return np.clip(image, 0, 1).astype(np.float32)


def test_every_model_has_a_toy_size():
  assert set(TOY_OPTIONS) == set(models.MODELS)


@pytest.mark.parametrize("size", SIZES)
def test_decoding_gives_what_evaluation_shows(toy, size):
  model, built, params, tables = toy
  image = _photo(*size)
  for rate in (0.0, 1.7) if model.spec.levels else (0.0,):
    payload = built.encode(params, tables, image, rate)
    decoded = np.asarray(built.decode(params, tables, payload))
    shown = np.asarray(built.evaluate(params, image, rate).image)
    assert decoded.shape == (*size, 3)
    np.testing.assert_array_equal(decoded, shown)


def test_encoding_twice_gives_the_same_bytes(toy):
  _, built, params, tables = toy
  image = _photo(33, 50)
  first = built.encode(params, tables, image, 0.0)
  assert built.encode(params, tables, image, 0.0) == first


def test_training_walks_the_same_stages(toy):
  model, built, params, _ = toy
  images = jnp.asarray(_photo(64, 64))[None].repeat(2, 0)
  rate = jnp.zeros(2)

  def loss(params):
    outcome = built.apply(params, images, rate, jax.random.key(0))
    return sum(bits.mean() for bits in outcome.bits.values()) + 1e4 * jnp.mean(
      (outcome.image - images) ** 2
    )

  value, gradient = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(value)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
    assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
  assert list(built.evaluate(params, images[0], 0.0).bits) == [
    stage.spec.name for stage in model.stages
  ]


def test_noisy_bits_are_not_below_hard_bits():
  # Ball\u00e9 2017, section 3: the relaxed rate bounds the discrete one from above
  # in expectation; one image and key leave a few percent of spread.
  _, built, params, _ = make_toy("bmshj2018-hyperprior")
  image = _photo(256, 256)
  hard = sum(built.evaluate(params, image, 0.0).bits.values())
  relaxed = jax.jit(built.apply)(
    params, image[None], jnp.zeros(1), jax.random.key(0)
  )
  assert sum(float(b[0]) for b in relaxed.bits.values()) > 0.97 * hard


def test_predict_is_traced_once_per_shape():
  model, _, params, tables = make_toy("mbt2018-mean")
  traces = []

  def counted(stage):
    def predict(*args):
      traces.append(stage.spec.name)
      return stage.predict(*args)

    return stage._replace(predict=predict)

  stages = tuple(counted(stage) for stage in model.stages)
  built = codec.make(model._replace(stages=stages))
  image = _photo(40, 40)
  payload = built.encode(params, tables, image, 0.0)
  built.decode(params, tables, payload)
  built.evaluate(params, image, 0.0)
  assert sorted(traces) == ["y", "z"]


def test_a_quality_between_levels_costs_bits_between_theirs():
  _, built, params, _ = make_toy("lapped")
  image = _photo(128, 128)
  bits = [
    sum(built.evaluate(params, image, rate).bits.values())
    for rate in (0.0, 1.5, 3.0, 4.25, 6.0)
  ]
  assert bits == sorted(bits)


def test_other_weights_are_told_from_a_picture():
  _, built, params, tables = make_toy("mbt2018-mean")
  payload = built.encode(params, tables, _photo(64, 64), 0.0)
  other = jax.tree.map(lambda leaf: leaf * 1.5, params)
  with pytest.raises(JaxlicError, match="symbols do not match|damaged"):
    built.decode(other, tables, payload)


@pytest.mark.parametrize("rate", [-0.1, 6.5, float("nan")])
def test_a_quality_out_of_range_is_refused(rate):
  _, built, params, tables = make_toy("lapped")
  with pytest.raises(JaxlicError, match="quality is a number from 0 to 6"):
    built.encode(params, tables, _photo(8, 8), rate)


def test_an_empty_image_is_refused():
  _, built, params, tables = make_toy("lapped")
  with pytest.raises(JaxlicError, match="an image has"):
    built.encode(params, tables, np.zeros((0, 4, 3), np.float32), 1.0)


def test_an_unknown_architecture_is_refused():
  with pytest.raises(JaxlicError, match="no architecture is named 'nosuch'"):
    models.make("nosuch")
