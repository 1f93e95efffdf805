"""Rate, distortion and their weights, and the gradients of every level."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, metrics, models, training
from jaxlic.errors import JaxlicError
from jaxlic.models import gained
from jaxlic.training import loss as losses
from jaxlic.training.config import Loss
from jaxlic.types import ModelSpec, Outcome
from tests.conftest import TOY_OPTIONS, make_params, make_toy

# The model that compiles fastest.
NAME = "bmshj2018-factorized"


def test_rate_distortion_is_rate_plus_lambda_times_squared_error():
  shown, images = jnp.full((2, 4, 8, 3), 0.5), jnp.full((2, 4, 8, 3), 0.25)
  shown = shown.at[1].set(0.375)
  bits = {"y": jnp.array([64.0, 16.0]), "z": jnp.array([32.0, 8.0])}
  lambdas = jnp.array([0.01, 0.04])
  cost, terms = training.rate_distortion(
    Outcome(shown, bits), images, lambdas, "mse"
  )
  # 4 x 8 = 32 pixels: (64 + 32) / 32 and (16 + 8) / 32 bpp; squared errors
  # of 1/4 and 1/8.
  expected = [
    3 + 0.01 * 255**2 * 0.25**2,
    0.75 + 0.04 * 255**2 * 0.125**2,
  ]
  np.testing.assert_allclose(cost, expected, rtol=1e-6)
  np.testing.assert_allclose(terms["bpp_y"], [2, 0.5])
  np.testing.assert_allclose(terms["bpp_z"], [1, 0.25])
  np.testing.assert_allclose(terms["bpp"], [3, 0.75])
  decibels = 20 * np.log10([4, 8])
  np.testing.assert_allclose(terms["psnr_db"], decibels, rtol=1e-6)


def test_rate_distortion_weighs_squared_errors_by_the_quality_map():
  shown, image = jnp.zeros((1, 2, 2, 3)), jnp.full((1, 2, 2, 3), 0.1)
  outcome = Outcome(shown, {"y": jnp.array([8.0])})
  quality_map = jnp.array([[[0.0, 0.5], [0.5, 1.0]]])
  cost, terms = training.rate_distortion(
    outcome, image, jnp.array([0.01]), "mse", quality_map
  )
  # The known weights of 0, 1/2 and 1.
  weight = (0.16583 + 2 * 1.0 + 6.0302) / 4
  expected = 2.0 + 0.01 * 255**2 * weight * 0.01
  np.testing.assert_allclose(cost[0], expected, rtol=1e-4)
  # As a viewer sees it, without weights.
  np.testing.assert_allclose(terms["psnr_db"][0], 20.0, rtol=1e-5)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_losses_are_divided_by_a_power_of_lambda(balance):
  model = models.make("gained", backbone=NAME, **TOY_OPTIONS[NAME])
  config = Loss(balance=balance)

  def apply(params, images, quality, *_):
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
  config = Loss(distortion="ms-ssim")
  with pytest.raises(JaxlicError, match="by a quality map, got .* ms-ssim"):
    training.weights(model.spec, config)


def test_rate_distortion_of_ms_ssim_weighs_what_is_missing_to_1():
  coarse = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)
  large = jnp.asarray(coarse.repeat(8, 1).repeat(8, 2))
  shown = jnp.clip(
    large + 0.1 * jnp.sin(jnp.arange(192.0))[None, None, :, None], 0, 1
  )
  bits = {"y": jnp.array([192.0**2, 0.0])}
  lambdas = jnp.array([2.4, 220.0])
  cost, terms = training.rate_distortion(
    Outcome(shown, bits), large, lambdas, "ms-ssim"
  )
  similar = metrics.ms_ssim(shown, large, peak=1.0)
  assert (similar < 0.999).all()
  np.testing.assert_allclose(terms["ms_ssim"], similar)
  expected = np.array([1, 0], np.float32) + lambdas * (1 - similar)
  np.testing.assert_allclose(cost, expected, rtol=1e-6)


def test_weights_are_the_models_or_the_configurations():
  spec = ModelSpec("m", 16, lambdas=(0.013,), ms_ssim_lambdas=(16.64,))
  config = Loss()
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
  config = Loss(
    temperature_start=1.0, temperature_end=0.01, temperature_steps=100
  )
  steps = (0, 50, 100, 900)
  temperatures = [losses.anneal(config, jnp.int32(s)) for s in steps]
  np.testing.assert_allclose(temperatures, [1, 0.1, 0.01, 0.01], rtol=1e-5)


def test_qualities_are_levels_or_between_them():
  keys = jax.random.split(jax.random.key(0), 2000)

  def draw(share):
    return np.asarray(losses._draw_levels(keys, 7, share))

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
  """(a gradient of examples of all levels, their metrics, one per level).

  By the loss of training; of each level one example that draws it.
  """
  model = models.make("gained", backbone=NAME, **TOY_OPTIONS[NAME])
  params, built = make_params(model), codec.make(model)
  config = Loss(balance=0.0)
  levels = model.spec.levels
  keys = jax.random.split(jax.random.key(0), 100)
  level_keys = jax.vmap(lambda key: jax.random.split(key, 3)[0])(keys)
  draws = losses._draw_levels(level_keys, levels, config.continuous)
  chosen = keys[np.array([np.argmax(draws == s) for s in range(levels)])]
  image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
  loss = training.make_loss(model, built, config)
  gradient = jax.jit(jax.grad(loss, has_aux=True))

  def of(keys):
    images = jnp.tile(image, (len(keys), 1, 1, 1))
    return gradient(params, images, keys, 1.0)

  # Means over copies, so that one program does for all.
  each, totals = zip(
    *(of(chosen[np.full(levels, s)]) for s in range(levels)), strict=True
  )
  return of(chosen)[0], totals, each


def test_every_level_has_its_own_lambda():
  _, totals, _ = level_gradients()
  for lambda_, part in zip(gained.GAINED_VAE, totals, strict=True):
    mse = 10 ** (-part["psnr_db"] / 10)
    expected = part["bpp"] + lambda_ * 255**2 * mse
    np.testing.assert_allclose(part["loss"], expected, rtol=1e-4)


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
