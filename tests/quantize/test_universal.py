import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.quantize import universal
from jaxlic.types import Prediction

IMAGES = 20_000
# Far from uniform within a step, where rounding alone would err by 0.3, 0.1,
# 0 and 0.4 always.
VALUES = jnp.array([0.3, -1.1, 5.0, 2.4])
LATENT = jnp.broadcast_to(VALUES, (IMAGES, 1, 1, 4))
PREDICTION = Prediction(mean=jnp.zeros_like(LATENT), scale=LATENT)
KEYS = jax.random.split(jax.random.key(0), IMAGES)
RELAXED = universal.surrogate(LATENT, PREDICTION, KEYS, 1.0)
ERROR = np.asarray(RELAXED.value - LATENT)[:, 0, 0]


def test_the_error_is_uniform_over_one_step():
  # Float32 roundings of values below 8.
  assert np.abs(ERROR).max() <= 0.5 + 1e-6
  # 20,000 draws: standard errors of 0.0020 for the mean, 0.00053 for the
  # variance 1/12, and at most 0.0035 for a quantile; 4 of them each.
  np.testing.assert_allclose(ERROR.mean(0), 0.0, atol=0.008)
  np.testing.assert_allclose(ERROR.var(0), 1 / 12, atol=0.0021)
  levels = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
  quantiles = np.quantile(ERROR, levels, axis=0)
  expected = np.broadcast_to(levels[:, None] - 0.5, quantiles.shape)
  np.testing.assert_allclose(quantiles, expected, atol=0.014)


def test_the_error_is_uncorrelated_with_the_latent():
  values = np.broadcast_to(VALUES, ERROR.shape).ravel()
  # The four values of an image share its u: 20,000 draws or more, 4 standard
  # errors of 1 / sqrt(20000).
  assert abs(np.corrcoef(values, ERROR.ravel())[0, 1]) < 4 / IMAGES**0.5


def test_the_latents_of_an_image_share_one_offset():
  # What is decoded lies on one shifted grid per image.
  grid = np.asarray(RELAXED.value)[:, 0, 0]
  steps = grid - grid[:, :1]
  # Roundings of values below 8.
  np.testing.assert_allclose(steps, np.round(steps), atol=2e-6)
  offsets = grid[:, 0] % 1
  assert len(np.unique(np.round(offsets, 6))) > 0.9 * IMAGES


def test_what_is_rated_is_what_is_decoded():
  np.testing.assert_array_equal(RELAXED.coded, RELAXED.value)
