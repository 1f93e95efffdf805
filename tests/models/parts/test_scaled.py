"""Scales that bring a trained network to other rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import theis2017_scaled
from jaxlic import models, training
from tests.models.small_theis2017 import SMALL, mapped_step, picture, small


@pytest.mark.slow
@pytest.mark.parametrize("follow", [True, False])
def test_scales_of_one_are_the_model_without_to_the_last_bit(follow):
  _, plain, params = small()
  scaled, built, _ = small("theis2017-scaled", follow=follow)
  # Of a program that makes nothing else.
  ones = jax.jit(lambda key: scaled.init(key)["log_scale"])(jax.random.key(0))
  np.testing.assert_array_equal(ones, jnp.zeros((3, 5)))
  with_scales = params | {"log_scale": ones}
  image = np.asarray(picture(21, 30)[0])
  expected = plain.evaluate(params, image, 0.0)
  data = plain.encode(params, plain.freeze(params), image, 0.0).data
  tables = built.freeze(with_scales)
  for quality in (0.0, 0.7, 2.0):
    outcome = built.evaluate(with_scales, image, quality)
    np.testing.assert_array_equal(outcome.image, expected.image)
    assert outcome.bits == expected.bits
    assert built.encode(with_scales, tables, image, quality).data == data


@pytest.mark.slow
@pytest.mark.parametrize("follow", [True, False])
def test_smaller_scales_cost_fewer_bits_at_every_quality(follow):
  model, built, params = small("theis2017-scaled", follow=follow)
  scales = jnp.log(jnp.asarray([0.3, 1.0, 4.0]))
  params = params | {
    "log_scale": jnp.tile(scales[:, None], (1, 5)),
    # Wide enough that no symbol needs an escape.
    "y_density": jax.jit(lambda key: model.init(key)["y_density"])(
      jax.random.key(0)
    ),
  }
  # Of as many blocks as the image above.
  image = np.asarray(picture(24, 32)[0])
  tables, last = built.freeze(params), 0
  for quality in (0.0, 0.3, 1.0, 1.9, 2.0):
    estimate = built.evaluate(params, image, quality)
    payload = built.encode(params, tables, image, quality)
    decoded = built.decode(params, tables, payload)
    np.testing.assert_array_equal(decoded, estimate.image)
    size, bits = 8 * len(payload.data), sum(estimate.bits.values())
    # The coder leaves out zeros at its end, and ends on whole bytes.
    assert bits - 16 < size < 1.02 * bits + 40
    assert bits > last
    last = bits


@pytest.mark.slow
def test_only_the_scales_move_when_only_they_are_trained():
  config = theis2017_scaled.get_config("toy")
  config.model.options.update(SMALL)
  model, built, params = small("theis2017-scaled")
  model = model._replace(init=lambda _: params)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  images = jnp.asarray(255 * picture(32, 32, 2), jnp.uint8)

  run = mapped_step(model, built, optimizer, config, images)
  state = training.init_state(model, optimizer, config)
  for _ in range(3):
    state = run(state)
  for tree in (state.params, state.average):
    moved = tree["log_scale"] != params["log_scale"]
    assert moved.any()
    for group in set(params) - {"log_scale"}:
      jax.tree.map(np.testing.assert_array_equal, tree[group], params[group])
  assert int(state.skipped) == 0
  # Adam's moments tell that no gradient has ever reached the others.
  reached = set()
  for path, leaf in jax.tree_util.tree_leaves_with_path(state.optimizer):
    names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
    if "mu" in names and jnp.any(leaf != 0):
      reached.add(names[names.index("mu") + 1])
  assert reached == {"log_scale"}


@pytest.mark.slow
def test_scales_start_from_a_codec_whose_mask_is_open():
  config = theis2017_scaled.get_config("toy")
  config.model.options.update(SMALL)
  model = models.make("theis2017-scaled", **config.model.options)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  state = training.init_state(model, optimizer, config)
  *_, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.ones(5)}}
  begun = training.begin_with(state, params, optimizer, model.spec)
  np.testing.assert_array_equal(begun.params["mask"]["open"], 1.0)
  np.testing.assert_array_equal(begun.params["log_scale"], 0.0)
