"""Channels that open one after another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import theis2017
from jaxlic import codec, training
from jaxlic.types import Quality
from tests.models.small_theis2017 import mapped_step, picture, small


def bits_per_channel(model, params, image):
  """What training rates, [c]."""
  stage, quality = model.stages[0], Quality(jnp.zeros(len(image)))
  grid = (image.shape[1] // 8, image.shape[2] // 8)
  latent = codec.analyze(model, params, image, quality)["y"]
  known = stage.predict(params, codec.begin(quality.level), grid)
  keys = jax.random.split(jax.random.key(0), len(image))
  relaxed = stage.quantizer.surrogate(latent, known, keys, 1.0)
  bits = stage.density.training_bits(params, relaxed.coded, known)
  return bits.sum((0, 1, 2))


def test_closed_channels_cost_the_same_for_every_image():
  model, _, params = small(open_at_first=2)
  fresh = jax.jit(lambda key: model.init(key)["mask"]["open"])(
    jax.random.key(0)
  )
  np.testing.assert_array_equal(fresh, [1, 1, 0, 0, 0])
  params = params | {"mask": {"open": fresh}}
  of_channels = jax.jit(functools.partial(bits_per_channel, model, params))
  one = of_channels(picture(16, 24))
  other = of_channels(1 - picture(16, 24))
  np.testing.assert_array_equal(one[2:], other[2:])
  assert (one[:2] != other[:2]).all()


def test_closed_channels_reach_neither_the_picture_nor_their_filters():
  _, built, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0])}}
  keys = jax.random.split(jax.random.key(0), 1)

  def loss(params):
    image = picture(16, 16)
    outcome = built.apply(params, image, Quality(jnp.zeros(1)), keys)
    return outcome.bits["y"].sum() + 1000 * ((outcome.image - image) ** 2).sum()

  gradient = jax.jit(jax.grad(loss))(params)["analysis"]["params"]["conv"]
  np.testing.assert_array_equal(gradient["kernel"][..., 2:], 0.0)
  assert (jnp.abs(gradient["kernel"][..., :2]).max((0, 1, 2)) > 0).all()


@pytest.mark.slow
def test_the_average_of_a_mask_is_the_mask_as_it_opens():
  config = theis2017.get_config("toy")
  config.optimizer.update(open_window=1, open_threshold=1.0)
  model, built, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0])}}
  model = model._replace(init=lambda _: params)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  images = jnp.asarray(255 * picture(32, 32, 2), jnp.uint8)
  run = mapped_step(model, built, optimizer, config, images)
  state = training.init_state(model, optimizer, config)
  # A window of one step sets a mean, and the next opens: gaining all of a loss
  # is too much to ask.
  for count in (2, 3, 3, 4):
    state = run(state)
    expected = jnp.arange(5) < count
    np.testing.assert_array_equal(state.params["mask"]["open"], expected)
    np.testing.assert_array_equal(state.average["mask"]["open"], expected)
