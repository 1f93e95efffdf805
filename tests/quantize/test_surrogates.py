import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize import rounding, surrogates
from jaxlic.types import Prediction

SHAPE = (2, 4, 4, 8)
LATENT = 3 * jax.random.normal(jax.random.key(0), SHAPE)
PREDICTION = Prediction(mean=jnp.full(SHAPE, 0.3), scale=jnp.ones(SHAPE))
KEYS = jax.random.split(jax.random.key(1), SHAPE[0])


RANDOM = [name for name in surrogates.SURROGATES if name != "straight"]


@pytest.fixture(params=surrogates.SURROGATES)
def surrogate(request):
  return surrogates.make(request.param).surrogate


@pytest.mark.parametrize("name", RANDOM)
def test_an_image_s_noise_is_that_of_its_key(name):
  surrogate = surrogates.make(name).surrogate
  both = surrogate(LATENT, PREDICTION, KEYS, 0.5)
  second = jax.tree.map(lambda leaf: leaf[1:], (LATENT, PREDICTION, KEYS))
  alone = surrogate(*second, 0.5)
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a[1:], b), both, alone
  )
  same = jnp.stack([KEYS[0], KEYS[0]])
  other = surrogate(LATENT, PREDICTION, same, 0.5)
  np.testing.assert_array_equal(other.coded[0], both.coded[0])
  assert jnp.abs(other.coded[1] - both.coded[1]).max() > 0.01


def test_latents_may_have_any_positions(surrogate):
  def in_line(array):
    return array.reshape(SHAPE[0], -1, SHAPE[-1])

  known = jax.tree.map(in_line, PREDICTION)
  relaxed = surrogate(in_line(LATENT), known, KEYS, 0.5)
  expected = surrogate(LATENT, PREDICTION, KEYS, 0.5)
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a, in_line(b)), relaxed, expected
  )


def test_both_values_stay_within_a_step_of_the_latent(surrogate):
  # Softening moves a value by less than half a step, noise by half a step; the
  # decoder's value lies in the cells that it could come from.
  relaxed = surrogate(LATENT, PREDICTION, KEYS, 0.2)
  assert jnp.abs(relaxed.coded - LATENT).max() < 1
  assert jnp.abs(relaxed.value - LATENT).max() < 1


def test_gradients_are_positive_and_finite(surrogate):
  def total(latent):
    relaxed = surrogate(latent, PREDICTION, KEYS, 0.5)
    return relaxed.coded.sum() + relaxed.value.sum()

  gradient = jax.grad(total)(LATENT)
  assert jnp.isfinite(gradient).all() and (gradient > 0).all()


@pytest.mark.parametrize("name", ["noise", "mixed", "universal", "straight"])
def test_only_soft_rounding_anneals(name):
  surrogate = surrogates.make(name).surrogate
  hot, cold = (surrogate(LATENT, PREDICTION, KEYS, t) for t in (1.0, 0.1))
  jax.tree.map(np.testing.assert_array_equal, hot, cold)


def test_files_hold_plain_rounding_whatever_the_surrogate():
  for name in surrogates.SURROGATES:
    quantizer = surrogates.make(name)
    assert quantizer.to_symbols is rounding.to_symbols
    assert quantizer.from_symbols is rounding.from_symbols


def test_an_unknown_surrogate_is_refused():
  with pytest.raises(
    JaxlicError,
    match="of noise, mixed, soft, .*straight, stochastic, got 'hard'; choose",
  ):
    surrogates.make("hard")


@pytest.mark.parametrize("name", surrogates.SURROGATES)
def test_every_surrogate_has_a_plain_form(name):
  quantizer = surrogates.make(name)
  several = jnp.ones((*SHAPE, 3))
  relaxed = rounding.plain(quantizer).surrogate(
    LATENT, Prediction(several, several), KEYS, 0.5
  )
  zero = Prediction(jnp.zeros(SHAPE), jnp.ones(SHAPE))
  expected = quantizer.surrogate(LATENT, zero, KEYS, 0.5)
  jax.tree.map(np.testing.assert_array_equal, relaxed, expected)
