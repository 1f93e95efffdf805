"""One step of training; `jax.vmap` stands for the devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import bmshj2018_factorized
from jaxlic import codec, metrics, models, training
from jaxlic.errors import JaxlicError
from jaxlic.models import gained
from jaxlic.training import optimizer
from jaxlic.types import ModelSpec, Outcome
from tests.conftest import TOY_OPTIONS, make_params, make_toy, over_devices

STEPS = 5


# The model that compiles fastest.
NAME = "bmshj2018-factorized"


def make_config(**loss):
  """A published configuration, at a higher rate."""
  config = bmshj2018_factorized.get_config()
  config.optimizer.learning_rate = 2e-3
  config.loss.update(loss)
  return config


@functools.cache
def make_step(accumulate=1, **loss):
  """Compiled once: (state, images, index) -> state, over any devices."""
  config = make_config(**loss)
  config.accumulate = accumulate
  model, built, _, _ = make_toy(NAME)
  chain = optimizer.make(config.optimizer)
  step = training.make_step(model, built, chain, config)
  compiled = jax.jit(over_devices(step))

  def run(state, images, index=None, devices=1):
    index = jnp.arange(len(images)) if index is None else jnp.asarray(index)
    shared = (
      x.reshape(devices, -1, *x.shape[1:])
      for x in (images, index.astype(jnp.uint32))
    )
    return compiled(state, *shared)

  return run


@pytest.fixture(scope="module")
def images():
  """Smooth in places and busy in others, as photographs are."""
  random = np.random.default_rng(0)
  coarse = random.integers(0, 256, (4, 8, 8, 3))
  fine = random.integers(-20, 20, (4, 64, 64, 3))
  fine[:, :, :32] = 0
  smooth = coarse.repeat(8, 1).repeat(8, 2)
  return jnp.asarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def start():
  config = make_config()
  model, _, params, _ = make_toy(NAME)
  chain = optimizer.make(config.optimizer)
  model = model._replace(init=lambda key: params)
  return training.init_state(model, chain, config)


@pytest.fixture(scope="module")
def states(start, images):
  """The state before each of a few steps on the same images, and after."""
  states = [start]
  for _ in range(STEPS):
    states.append(make_step()(states[-1], images))
  return states


def assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def differs(a, b):
  return any(
    (x != y).any()
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  )


def loss_of(before, after):
  return float(after.totals["loss"] - before.totals["loss"])


def test_steps_on_a_fixed_batch_lower_its_loss(states):
  # The same examples: qualities and noise are the same draws.
  losses = [
    loss_of(*pair) for pair in zip(states[:-1], states[1:], strict=True)
  ]
  assert losses[-1] < 0.95 * losses[0]


def test_a_young_average_follows_the_parameters(states):
  # Step k keeps (k + 1) / (k + 10) of the average that it finds.
  before, after = states[1:3]
  average, params, found = jax.device_get(
    (before.average, after.params, after.average)
  )
  jax.tree.map(
    lambda a, p, f: np.testing.assert_allclose(
      f, (2 * a + 9 * p) / 11, rtol=1e-5, atol=1e-6
    ),
    *(average, params, found),
  )


def test_a_step_adds_up_what_it_did(states):
  totals = states[STEPS].totals
  assert totals["steps"] == STEPS and totals["gradient_norm"] > 0
  parts = [v for name, v in totals.items() if name.startswith("bpp_")]
  assert len(parts) == len(make_toy(NAME)[0].stages)
  np.testing.assert_allclose(sum(parts), totals["bpp"], rtol=1e-5)


def test_devices_share_a_batch_without_changing_the_result(start, images):
  assert_close(*(make_step()(start, images, devices=d) for d in (1, 4)))


def test_turns_share_a_batch_without_changing_the_result(start, images):
  assert_close(
    make_step()(start, images), make_step(accumulate=2)(start, images)
  )


def assert_close(a, b):
  # Sums in another order: a few times float32's 6e-8 of their terms' sizes.
  for name, value in a.totals.items():
    np.testing.assert_allclose(value, b.totals[name], rtol=2e-5, err_msg=name)


def test_what_is_random_in_an_example_depends_on_its_number_alone(
  start, images
):
  step = make_step()
  swapped = images[jnp.array([2, 0, 3, 1])]
  a = step(start, images, [5, 6, 7, 8])
  b = step(start, swapped, [7, 5, 8, 6])
  c = step(start, images, [6, 5, 7, 8])
  np.testing.assert_allclose(loss_of(start, a), loss_of(start, b), rtol=2e-5)
  assert abs(loss_of(start, a) - loss_of(start, c)) > 1e-3


@pytest.mark.parametrize("kind", ["norm", "nan"])
def test_an_unsound_step_changes_nothing_but_the_counts(states, images, kind):
  state, step = states[2], make_step()
  if kind == "nan":
    params = jax.tree.map(lambda x: x * jnp.nan, state.params)
    state = state._replace(params=params)
  else:
    step = make_step(max_norm=1e-9)  # of the configuration
  after = step(step(state, images), images)
  for name in ("params", "average", "optimizer", "totals"):
    assert_equal(getattr(after, name), getattr(state, name))
  assert after.key == state.key
  assert (after.step, after.skipped, after.streak) == (state.step + 2, 2, 2)


def test_a_sound_step_ends_the_streak_and_not_the_count(states, images):
  state = states[2]._replace(skipped=jnp.int32(7), streak=jnp.int32(3))
  after = make_step()(state, images)
  assert (after.skipped, after.streak) == (7, 0)


def test_a_run_can_begin_with_given_weights(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  chain = optimizer.make(make_config().optimizer)
  state = training.begin_with(start, params, chain)
  assert_equal(state.params, params)
  assert_equal(state.average, params)
  assert_equal(state.optimizer, start.optimizer)
  with pytest.raises(JaxlicError, match="not of this model"):
    training.begin_with(start, {"analysis": np.zeros(3)}, chain)


def test_what_is_added_to_a_trained_model_starts_afresh(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  del params["y_density"]
  chain = optimizer.make(make_config().optimizer)
  assert training.added(start, params) == ["y_density"]
  state = training.begin_with(start, params, chain)
  assert_equal(state.params["y_density"], start.params["y_density"])
  assert_equal(state.params["analysis"], params["analysis"])
  with pytest.raises(JaxlicError, match="have other, which this model lacks"):
    training.begin_with(start, params | {"other": np.zeros(3)}, chain)


def test_a_run_can_begin_with_what_fits_its_shapes(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  params["other"], own = np.zeros(3), params["y_density"]
  wide = {name: np.zeros((9, *leaf.shape)) for name, leaf in own.items()}
  found = training.fitting(start.params, params | {"y_density": wide})
  assert_equal(found["analysis"], params["analysis"])
  assert_equal(found["y_density"], start.params["y_density"])
  assert "other" not in found
  wider = params | {"y_density": wide}
  assert training.unfitting(start.params, wider) == ["y_density"]
  del params["analysis"]
  found = training.fitting(start.params, params)
  assert_equal(found["analysis"], start.params["analysis"])


def test_a_run_can_begin_with_an_imported_model_and_its_medians(start):
  density = start.params["y_density"]
  median = np.linspace(-0.4, 0.4, len(density["bias0"]), dtype=np.float32)
  params = start.params | {"y_density": density | {"median": median}}
  chain = optimizer.make(make_config().optimizer)
  state = training.begin_with(start, params, chain)
  assert_equal(state.params, params)
  assert_equal(state.average, params)
  # Its chain takes gradients of these parameters.
  moved, _ = jax.eval_shape(
    chain.update, params, state.optimizer, state.params, value=jnp.zeros(())
  )
  assert moved["y_density"]["median"].shape == median.shape
  del params["y_density"]["bias0"]
  with pytest.raises(JaxlicError, match="not of this model"):
    training.begin_with(start, params, chain)


def test_rate_distortion_is_rate_plus_lambda_times_squared_error():
  shown, images = jnp.full((2, 4, 8, 3), 0.5), jnp.full((2, 4, 8, 3), 0.25)
  shown = shown.at[1].set(0.375)
  bits = {"y": jnp.array([64.0, 16.0]), "z": jnp.array([32.0, 8.0])}
  lambdas = jnp.array([0.01, 0.04])
  cost, parts = training.rate_distortion(
    Outcome(shown, bits), images, lambdas, "mse"
  )
  # 4 x 8 = 32 pixels: (64 + 32) / 32 and (16 + 8) / 32 bpp; squared errors
  # of 1/4 and 1/8.
  expected = [
    3 + 0.01 * 255**2 * 0.25**2,
    0.75 + 0.04 * 255**2 * 0.125**2,
  ]
  np.testing.assert_allclose(cost, expected, rtol=1e-6)
  np.testing.assert_allclose(parts["bpp_y"], [2, 0.5])
  np.testing.assert_allclose(parts["bpp_z"], [1, 0.25])
  np.testing.assert_allclose(parts["bpp"], [3, 0.75])
  decibels = 20 * np.log10([4, 8])
  np.testing.assert_allclose(parts["psnr_db"], decibels, rtol=1e-6)


def test_rate_distortion_weighs_squared_errors_by_the_quality_map():
  shown, image = jnp.zeros((1, 2, 2, 3)), jnp.full((1, 2, 2, 3), 0.1)
  outcome = Outcome(shown, {"y": jnp.array([8.0])})
  quality_map = jnp.array([[[0.0, 0.5], [0.5, 1.0]]])
  cost, parts = training.rate_distortion(
    outcome, image, jnp.array([0.01]), "mse", quality_map
  )
  # The known weights of 0, 1/2 and 1.
  weight = (0.16583 + 2 * 1.0 + 6.0302) / 4
  expected = 2.0 + 0.01 * 255**2 * weight * 0.01
  np.testing.assert_allclose(cost[0], expected, rtol=1e-4)
  # As a viewer sees it, without weights.
  np.testing.assert_allclose(parts["psnr_db"][0], 20.0, rtol=1e-5)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_losses_are_divided_by_a_power_of_lambda(balance):
  model = models.make("gained", backbone=NAME, **TOY_OPTIONS[NAME])
  config = make_config(balance=balance).loss

  def apply(params, images, rate, *_):
    return Outcome(images, {"y": jnp.full(len(images), 64.0)})

  built = codec.make(model)._replace(apply=apply)
  loss = training.make_loss(model, built, config)
  images, keys = jnp.zeros((1, 8, 8, 3), jnp.uint8), jax.random.key(0)[None]
  value, _ = loss({}, images, keys, 1.0)
  # One bit per pixel and no error; one of the eight levels was drawn.
  lambdas = np.array(model.spec.lambdas)
  possible = (lambdas / lambdas.mean()) ** -balance
  assert np.isclose(value, possible, rtol=1e-5).any()


def test_a_quality_map_is_trained_for_squared_errors_alone():
  model, *_ = make_toy("scgain")
  config = make_config(distortion="ms-ssim").loss
  with pytest.raises(JaxlicError, match="by a quality map, got .* ms-ssim"):
    training.weights(model.spec, config)


def test_rate_distortion_of_ms_ssim_weighs_what_is_missing_to_1(images):
  large = jnp.tile(images[:2] / 255, (1, 3, 3, 1))
  shown = jnp.clip(large + 0.1 * jnp.sin(jnp.arange(192.0))[:, None], 0, 1)
  bits = {"y": jnp.array([192.0**2, 0.0])}
  lambdas = jnp.array([2.4, 220.0])
  cost, parts = training.rate_distortion(
    Outcome(shown, bits), large, lambdas, "ms-ssim"
  )
  similar = metrics.ms_ssim(shown, large, peak=1.0)
  assert (similar < 0.999).all()
  np.testing.assert_allclose(parts["ms_ssim"], similar)
  expected = np.array([1, 0]) + lambdas * (1 - similar)
  np.testing.assert_allclose(cost, expected, rtol=1e-6)


def test_weights_are_the_models_or_the_configurations():
  spec = ModelSpec("m", 16, lambdas=(0.013,), ms_ssim_lambdas=(16.64,))
  config = make_config().loss
  assert training.weights(spec, config) == (0.013,)
  config.distortion = "ms-ssim"
  assert training.weights(spec, config) == (16.64,)
  config.lambdas = (5.0,)
  assert training.weights(spec, config) == (5.0,)
  config.lambdas = (1.0, 2.0)
  with pytest.raises(JaxlicError, match="m needs 1 weights of ms-ssim, got 2"):
    training.weights(spec, config)
  config.distortion = "psnr"
  with pytest.raises(JaxlicError, match="mse, ms-ssim, got 'psnr'"):
    training.weights(spec, config)


def test_the_temperature_falls_geometrically_and_stays():
  config = make_config(
    temperature_start=1.0, temperature_end=0.01, temperature_steps=100
  ).loss
  found = [training._anneal(config, jnp.int32(s)) for s in (0, 50, 100, 900)]
  np.testing.assert_allclose(found, [1, 0.1, 0.01, 0.01], rtol=1e-5)


def test_qualities_are_levels_or_between_them():
  keys = jax.random.split(jax.random.key(0), 2000)

  def draw(share):
    config = make_config(continuous=share).loss
    one = functools.partial(training._draw_rate, levels=7, config=config)
    return np.asarray(jax.vmap(one)(keys))

  whole, quarter = draw(0.0), draw(0.25)
  assert set(whole) == set(range(7))
  # Each level 2000 / 7 = 286 times, standard deviation 15.6.
  assert np.abs(np.unique(whole, return_counts=True)[1] - 286).max() < 70
  between = quarter != np.round(quarter)
  # 500 on average, standard deviation 19.4.
  assert abs(between.sum() - 500) < 90
  assert quarter.min() >= 0 and quarter.max() <= 6


@functools.cache
def level_gradients():
  """(a gradient of examples of all levels, their parts, one per level).

  By the loss of training; of each level one example that draws it.
  """
  model = models.make("gained", backbone=NAME, **TOY_OPTIONS[NAME])
  params, built = make_params(model), codec.make(model)
  config = make_config(balance=0.0).loss
  levels = model.spec.levels
  keys = jax.random.split(jax.random.key(0), 100)
  draws = jax.vmap(
    lambda key: training._draw_rate(jax.random.split(key, 3)[0], levels, config)
  )(keys)
  chosen = keys[np.array([np.argmax(draws == s) for s in range(levels)])]
  image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
  loss = training.make_loss(model, built, config)
  gradient = jax.jit(jax.grad(loss, has_aux=True))

  def of(keys):
    images = jnp.tile(image, (len(keys), 1, 1, 1))
    return gradient(params, images, keys, 1.0)

  each, parts = zip(
    *(of(chosen[s : s + 1]) for s in range(levels)), strict=True
  )
  return of(chosen)[0], parts, each


def test_every_level_has_its_own_lambda():
  _, parts, _ = level_gradients()
  for lambda_, found in zip(gained.GAINED_VAE, parts, strict=True):
    mse = 10 ** (-found["psnr_db"] / 10)
    expected = found["bpp"] + lambda_ * 255**2 * mse
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-4)


def test_the_mean_of_the_levels_gradients_is_the_gradient_of_the_mean_loss():
  # So that one random level per sample follows the sum over levels of rates
  # and weighted distortions, though every sample has a rate of one level.
  whole, _, each = level_gradients()
  mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *each)

  def close(a, b):
    # Sums over levels and positions in another order.
    np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5 * np.abs(b).max())

  jax.tree.map(close, mean, whole)


def test_a_level_s_gradient_is_none_of_another_level_s_gains():
  *_, each = level_gradients()
  for level, gradient in enumerate(each):
    moved = np.abs(gradient["log_gain"]).max(1) > 0
    np.testing.assert_array_equal(moved, np.arange(len(each)) == level)
