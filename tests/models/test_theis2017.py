"""The compressive autoencoder: layers, mask, scales."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import theis2017 as theis2017_config
from configs import theis2017_scaled
from jaxlic import codec, models, training
from jaxlic.errors import JaxlicError
from jaxlic.nn import theis_networks
from jaxlic.training import optimizer
from tests.conftest import make_params, over_devices

SMALL = {"width": 6, "latent": 5}


@functools.cache
def small(name="theis2017", **options):
  model = models.make(name, **SMALL, **options)
  return model, make_params(model)


def picture(height, width, batch=1):
  return jax.random.uniform(jax.random.key(3), (batch, height, width, 3))


def mapped_step(model, chain, config, images):
  """One step of training on these images: state -> state."""
  step = training.make_step(model, codec.make(model), chain, config)
  index = jnp.arange(len(images), dtype=jnp.uint32)[None]
  return jax.jit(lambda state: over_devices(step)(state, images[None], index))


def shapes_at(module, size, channels):
  """The outputs of a module's layers, by name, without computing any."""
  x = jnp.zeros((1, size, size, channels))

  def run():
    _, state = module.init_with_output(
      jax.random.key(0), x, capture_intermediates=True
    )
    return state["intermediates"]

  return {
    name: value["__call__"][0].shape[1:]
    for name, value in jax.eval_shape(run).items()
    if name != "__call__"
  }


def test_the_layers_of_the_published_analysis():
  # Valid convolutions of 128 + 69 pixels; the first two are shown before their
  # outermost positions are left out.
  assert shapes_at(theis_networks.Analysis(128, 96), 128, 3) == {
    "conv0": (99, 99, 64),
    "conv1": (49, 49, 128),
    "block0": (43, 43, 128),
    "block1": (39, 39, 128),
    "block2": (35, 35, 128),
    "conv": (18, 18, 96),
  }


def test_the_layers_of_the_analysis_without_mirroring():
  assert shapes_at(theis_networks.Analysis(128, 64, "zero"), 128, 3) == {
    "conv0": (64, 64, 64),
    "conv1": (32, 32, 128),
    "block0": (32, 32, 128),
    "block1": (32, 32, 128),
    "block2": (32, 32, 128),
    "conv": (16, 16, 64),
  }


def test_the_layers_of_the_published_synthesis():
  assert shapes_at(theis_networks.Synthesis(128), 16, 96) == {
    "conv0": (32, 32, 128),
    "block0": (32, 32, 128),
    "block1": (32, 32, 128),
    "block2": (32, 32, 128),
    "conv1": (64, 64, 64),
    "conv2": (128, 128, 3),
  }


def test_parameters_are_those_of_the_layers():
  def convolution(side, fan_in, fan_out):
    return (side**2 * fan_in + 1) * fan_out

  def count(module, channels):
    x = jnp.zeros((1, 8, 8, channels))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))

  blocks = 3 * 2 * convolution(3, 128, 128)
  for latent in (96, 64):
    analysis = convolution(5, 3, 64) + convolution(5, 64, 128) + blocks
    analysis += convolution(5, 128, latent)
    assert count(theis_networks.Analysis(128, latent), 3) == analysis
    synthesis = convolution(3, latent, 512) + blocks
    synthesis += convolution(3, 128, 256) + convolution(3, 64, 12)
    assert count(theis_networks.Synthesis(128), latent) == synthesis


@pytest.mark.parametrize("padding", theis_networks.MARGINS)
@pytest.mark.parametrize("size", [(8, 8), (8, 40), (64, 24), (72, 136)])
def test_y_is_an_eighth_of_any_size(padding, size):
  model, params = small(padding=padding)
  image, rate = picture(*size), jnp.zeros(1)
  y = jax.eval_shape(model.analyze, params, image, rate)
  assert y.shape == (1, size[0] // 8, size[1] // 8, 5)


@pytest.mark.parametrize("padding", ["mirror", "strided"])
def test_the_analysis_is_valid_convolutions_of_the_mirrored_image(padding):
  # Its layers once more, in the terms of the paper.
  model, params = small(padding=padding)
  image = picture(48, 40)
  layers = params["analysis"]["params"]

  def convolve(x, layer, stride=1, padding="VALID"):
    y = jax.lax.conv_general_dilated(
      x,
      layer["kernel"],
      (stride, stride),
      padding,
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + layer["bias"]

  def leaky(x):
    return jnp.where(x > 0, x, 0.01 * x)

  valid = padding == "mirror"
  margin = (34, 35) if valid else (10, 11)
  x = (image - jnp.asarray(theis_networks.MEAN)) / jnp.asarray(
    theis_networks.DEVIATION
  )
  x = jnp.asarray(np.pad(x, ((0, 0), margin, margin, (0, 0)), "reflect"))
  x = leaky(convolve(x, layers["conv0"], 2))
  x = convolve(x, layers["conv1"], 2)
  for k in range(3):
    block, same = layers[f"block{k}"], "VALID" if valid else "SAME"
    inner = leaky(x) if k == 0 else x
    inner = leaky(convolve(inner, block["conv0"], padding=same))
    inner = convolve(inner, block["conv1"], padding=same)
    x = (x[:, 2:-2, 2:-2] if valid else x) + inner
  expected = convolve(x, layers["conv"], 2)
  y = model.analyze(params, image, jnp.zeros(1))
  # Sums of up to 1,000 products in another order.
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [1, 2, 9])
def test_mirroring_reflects_as_often_as_it_takes(side):
  x = jnp.arange(float(side))[None, :, None, None]
  x = jnp.broadcast_to(x, (1, side, side, 1))
  found = theis_networks.mirrored(x, (34, 35))[0, :, 0, 0]
  expected = np.pad(np.arange(side), (34, 35), "reflect")
  np.testing.assert_array_equal(found, expected)


def test_pictures_stay_within_their_range_and_their_gradient_does_not_stop():
  synthesis = theis_networks.Synthesis(6)
  y = 50 * jax.random.normal(jax.random.key(0), (1, 2, 2, 5))
  params = synthesis.init(jax.random.key(1), y)
  image, pull = jax.vjp(lambda p: synthesis.apply(p, y), params)
  assert image.min() == 0.0 and image.max() == 1.0
  # Of the last bias: DEVIATION times the gradient of every pixel, clipped or
  # not; a bias serves one pixel in four.
  gradient = pull(jnp.ones_like(image))[0]["params"]["conv2"]["conv"]["bias"]
  np.testing.assert_allclose(
    gradient.reshape(4, 3),
    np.tile(theis_networks.DEVIATION, (4, 1))
    * image.shape[1]
    * image.shape[2]
    / 4,
    rtol=1e-5,
  )


def test_training_rates_the_bound_and_files_the_exact_rate():
  model, params = small()
  stage = model.stages[0]
  context = {"rate": jnp.zeros(1)}
  prediction = stage.predict(params, context, (4, 4))
  keys = jax.random.split(jax.random.key(0), 1)
  latent = 2 * jax.random.normal(jax.random.key(1), (1, 4, 4, 5))
  relaxed = stage.quantizer.surrogate(latent, prediction, keys, 1.0)
  np.testing.assert_array_equal(relaxed.value, jnp.round(latent))
  assert jnp.abs(relaxed.coded - relaxed.value).max() > 0.1
  assert stage.density.bound is not None
  exact = models.make("theis2017", **SMALL, rated="exact").stages[0]
  assert exact.density.bound is None
  relaxed = exact.quantizer.surrogate(latent, prediction, keys, 1.0)
  np.testing.assert_array_equal(relaxed.coded, jnp.round(latent))


@pytest.mark.parametrize(
  ("density", "rated", "surrogate"),
  [
    ("scales", "exact", "straight"),
    ("mixture", "bound", "stochastic"),
    ("factorized", "bound", "straight"),
  ],
)
def test_densities_and_rates_train_the_analysis(density, rated, surrogate):
  model, params = small(density=density, surrogate=surrogate, rated=rated)
  keys = jax.random.split(jax.random.key(0), 1)

  def loss(params):
    outcome = codec.make(model).apply(
      params, picture(16, 16), jnp.zeros(1), keys
    )
    return outcome.bits["y"].sum() + 1000 * (outcome.image**2).sum()

  gradient = jax.jit(jax.grad(loss))(params)
  for leaf in jax.tree.leaves(gradient):
    assert jnp.isfinite(leaf).all()
  assert jnp.abs(gradient["analysis"]["params"]["conv"]["kernel"]).max() > 0


def bits_per_channel(model, params, image):
  """What training rates, [c]."""
  stage, rate = model.stages[0], jnp.zeros(len(image))
  grid = (image.shape[1] // 8, image.shape[2] // 8)
  y = model.analyze(params, image, rate)
  latent = model.latents(params, y, rate)["y"]
  prediction = stage.predict(params, {"rate": rate}, grid)
  keys = jax.random.split(jax.random.key(0), len(image))
  relaxed = stage.quantizer.surrogate(latent, prediction, keys, 1.0)
  bits = stage.density.bound(params, relaxed.coded, prediction)
  return bits.sum((0, 1, 2))


def test_closed_channels_cost_the_same_for_every_image():
  model, params = small(open_at_first=2)
  fresh = model.init(jax.random.key(0))["mask"]["open"]
  np.testing.assert_array_equal(fresh, [1, 1, 0, 0, 0])
  params = params | {"mask": {"open": fresh}}
  of_channels = jax.jit(functools.partial(bits_per_channel, model, params))
  one = of_channels(picture(16, 24))
  other = of_channels(1 - picture(16, 24))
  np.testing.assert_array_equal(one[2:], other[2:])
  assert (one[:2] != other[:2]).all()


def test_closed_channels_reach_neither_the_picture_nor_their_filters():
  model, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0])}}
  keys = jax.random.split(jax.random.key(0), 1)
  built = codec.make(model)

  def loss(params):
    image = picture(16, 16)
    outcome = built.apply(params, image, jnp.zeros(1), keys)
    return outcome.bits["y"].sum() + 1000 * ((outcome.image - image) ** 2).sum()

  gradient = jax.jit(jax.grad(loss))(params)["analysis"]["params"]["conv"]
  np.testing.assert_array_equal(gradient["kernel"][..., 2:], 0.0)
  assert (jnp.abs(gradient["kernel"][..., :2]).max((0, 1, 2)) > 0).all()


@pytest.mark.parametrize("follow", [True, False])
def test_scales_of_one_are_the_model_without_to_the_last_bit(follow):
  base, params = small()
  scaled, _ = small("theis2017-scaled", follow=follow)
  ones = scaled.init(jax.random.key(0))["log_scale"]
  np.testing.assert_array_equal(ones, jnp.zeros((3, 5)))
  own = params | {"log_scale": ones}
  image = np.asarray(picture(21, 30)[0])
  plain, built = codec.make(base), codec.make(scaled)
  expected = plain.evaluate(params, image, 0.0)
  tables = plain.freeze(params)
  bytes_of = plain.encode(params, tables, image, 0.0).data
  for rate in (0.0, 0.7, 2.0):
    found = built.evaluate(own, image, rate)
    np.testing.assert_array_equal(found.image, expected.image)
    assert found.bits == expected.bits
    assert built.encode(own, built.freeze(own), image, rate).data == bytes_of


@pytest.mark.parametrize("follow", [True, False])
def test_smaller_scales_cost_fewer_bits_at_every_quality(follow):
  model, params = small("theis2017-scaled", follow=follow)
  scales = jnp.log(jnp.asarray([0.3, 1.0, 4.0]))
  params = params | {
    "log_scale": jnp.tile(scales[:, None], (1, 5)),
    # Wide enough that no symbol needs an escape.
    "y_density": model.init(jax.random.key(0))["y_density"],
  }
  built, image = codec.make(model), np.asarray(picture(32, 24)[0])
  tables, last = built.freeze(params), 0
  for rate in (0.0, 0.3, 1.0, 1.9, 2.0):
    estimate = built.evaluate(params, image, rate)
    payload = built.encode(params, tables, image, rate)
    decoded = built.decode(params, tables, payload)
    np.testing.assert_array_equal(decoded, estimate.image)
    size, bits = 8 * len(payload.data), sum(estimate.bits.values())
    # The coder leaves out zeros at its end, and ends on whole bytes.
    assert bits - 16 < size < 1.02 * bits + 40
    assert bits > last
    last = bits


def test_only_the_scales_move_when_only_they_are_trained():
  config = theis2017_scaled.get_config("toy")
  config.model.options.update(SMALL)
  model, params = small("theis2017-scaled")
  model = model._replace(init=lambda _: params)
  chain = optimizer.make(config.optimizer)
  images = jnp.asarray(255 * picture(32, 32, 2), jnp.uint8)

  run = mapped_step(model, chain, config, images)
  state = training.init_state(model, chain, config)
  for _ in range(3):
    state = run(state)
  for found in (state.params, state.average):
    moved = found["log_scale"] != params["log_scale"]
    assert moved.any()
    for group in set(params) - {"log_scale"}:
      jax.tree.map(np.testing.assert_array_equal, found[group], params[group])
  assert int(state.skipped) == 0
  # Adam's moments tell that no gradient has ever reached the others.
  reached = set()
  for path, leaf in jax.tree_util.tree_leaves_with_path(state.optimizer):
    names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
    if "mu" in names and jnp.any(leaf != 0):
      reached.add(names[names.index("mu") + 1])
  assert reached == {"log_scale"}


def test_the_average_of_a_mask_is_the_mask_as_it_opens():
  config = theis2017_config.get_config("toy")
  config.optimizer.update(open_window=1, open_threshold=1.0)
  model, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0])}}
  model = model._replace(init=lambda _: params)
  chain = optimizer.make(config.optimizer)
  images = jnp.asarray(255 * picture(32, 32, 2), jnp.uint8)
  run = mapped_step(model, chain, config, images)
  state = training.init_state(model, chain, config)
  # A window of one step sets a mean, and the next opens: gaining all of a loss
  # is too much to ask.
  for count in (2, 3, 3, 4):
    state = run(state)
    expected = jnp.arange(5) < count
    np.testing.assert_array_equal(state.params["mask"]["open"], expected)
    np.testing.assert_array_equal(state.average["mask"]["open"], expected)


def test_scales_start_from_a_codec_whose_mask_is_open():
  config = theis2017_scaled.get_config("toy")
  config.model.options.update(SMALL)
  model = models.make("theis2017-scaled", **config.model.options)
  chain = optimizer.make(config.optimizer)
  state = training.init_state(model, chain, config)
  _, params = small(open_at_first=2)
  params = params | {"mask": {"open": jnp.ones(5)}}
  begun = training.begin_with(state, params, chain)
  np.testing.assert_array_equal(begun.params["mask"]["open"], 1.0)
  np.testing.assert_array_equal(begun.params["log_scale"], 0.0)


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"quality": 4}, "quality of Theis 2017 is in 1..3, got 4"),
    ({"density": "laplace"}, "a density is one of scales, .* got 'laplace'"),
    ({"padding": "edge"}, "a padding is one of mirror, .* got 'edge'"),
    ({"rated": "both"}, "rated is one of bound, exact, got 'both'"),
    ({"surrogate": "soft"}, "the bound needs symbols, .* got 'soft'"),
    ({"open_at_first": -1}, "of 5 channels 1..5 are open .* mask, got -1"),
    ({"open_at_first": 6}, "of 5 channels 1..5 are open .* mask, got 6"),
    ({"lambdas": (0.1,)}, "a scaled model has 2 levels or more"),
    ({"lambdas": (0.1, 0.05)}, "of ascending lambdas above 0, got"),
    ({"components": 0}, "a mixture has 1 component or more, got 0"),
  ],
)
def test_wrong_options_are_refused(options, match):
  with pytest.raises(JaxlicError, match=match):
    models.make("theis2017", **SMALL | options)
