import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize import companding, rounding
from jaxlic.quantize.companding import Companded
from jaxlic.types import Prediction

SHAPE = (2, 3, 3, 4)
KEYS = jax.random.split(jax.random.key(0), 2)


def companded(log_a, log_reach):
  inner = Prediction(mean=jnp.full(SHAPE, 0.3), scale=jnp.ones(SHAPE))
  numbers = (jnp.full((*SHAPE[:3], 1), number) for number in (log_a, log_reach))
  return Companded(inner, *numbers)


@pytest.mark.parametrize(
  ("x", "expected"),
  [
    (1 / 87.6, 0.1827225),
    (0.01, 0.1600649),
    (0.1, 0.5792660),
    (0.5, 0.8733464),
    (1.0, 1.0),
    (2.0, 1.1266536),
    (-0.1, -0.5792660),
    (0.0, 0.0),
  ],
)
def test_the_a_law_has_its_known_values(x, expected):
  # A = 87.6 as in G.711, by the formula in double precision.
  assert companding.compress(jnp.float32(x), 87.6) == pytest.approx(
    expected, abs=1e-6
  )


@pytest.mark.parametrize("a", [1.0, 1.5, 87.6, 255.0])
def test_expansion_inverts_compression(a):
  x = jnp.concatenate([jnp.linspace(-3, 3, 601), jnp.array([1e-6, 300.0])])
  there = companding.compress(x, a)
  assert (jnp.diff(there[:601]) > 0).all()
  # A few last bits of float32, times exponents of up to 7.
  np.testing.assert_allclose(companding.expand(there, a), x, rtol=1e-5)


def test_a_of_1_is_the_identity_within_the_range():
  x = jnp.linspace(-1, 1, 41)
  np.testing.assert_allclose(companding.compress(x, 1.0), x, atol=1e-7)
  np.testing.assert_allclose(companding.expand(x, 1.0), x, atol=1e-7)


@pytest.mark.parametrize("a", [1.0, 2.0, 87.6])
def test_slopes_are_finite_and_join(a):
  slope = jax.jit(jax.vmap(jax.grad(companding.compress), (0, None)))
  at_zero = a / (1 + np.log(a))
  assert slope(jnp.zeros(1), a) == pytest.approx(at_zero, rel=1e-6)
  below, above = slope(jnp.array([0.9999, 1.0001]) / a, a)
  assert below == pytest.approx(float(above), rel=3e-4)
  back = jax.jit(jax.vmap(jax.grad(companding.expand), (0, None)))
  assert back(jnp.zeros(1), a) == pytest.approx(1 / at_zero, rel=1e-6)
  for function in (companding.compress, companding.expand):
    gradients = jax.jit(jax.vmap(jax.grad(function, (0, 1)), (0, None)))
    x = jnp.array([-1e6, -1.0, 0.0, 1e-30, 1.0, 1e6])
    assert np.isfinite(gradients(x, a)).all()


@pytest.mark.parametrize("a", [0.99, float("nan"), -3.0])
def test_a_below_1_is_refused(a):
  for function in (companding.compress, companding.expand):
    with pytest.raises(JaxlicError, match="a parameter A of 1 or more, got"):
      function(jnp.ones(1), a)


def test_companded_rounding_errs_in_proportion_to_size():
  quantizer = companding.make(rounding.make(rounding.mixed()))
  known = companded(np.log(20.0), np.log(10.0))
  latent = 3 * jax.random.normal(jax.random.key(1), SHAPE)
  symbols = quantizer.to_symbols(latent, known)
  y_hat = quantizer.from_symbols(symbols, known).value
  # A step of 1 is D / slope wide: (1 + ln A) / A below D / A, and beyond
  # (1 + ln A) |y| / D; the middle of a step of up to 40 % is off by half.
  step = (1 + np.log(20)) * jnp.maximum(jnp.abs(y_hat), 0.5) / 10
  assert (jnp.abs(y_hat - latent) <= 0.61 * step).all()
  compressed = 10 * companding.compress(latent / 10, 20.0)
  rated = quantizer.from_symbols(symbols, known).coded
  assert jnp.abs(rated - compressed).max() <= 0.5 + 1e-5
  relaxed = quantizer.surrogate(latent, known, KEYS, 1.0)
  np.testing.assert_allclose(relaxed.value, y_hat, rtol=1e-5, atol=1e-6)
  assert jnp.abs(relaxed.coded - compressed).max() <= 0.5 + 1e-5


def test_a_wide_range_leaves_rounding_as_it_is():
  plain = rounding.make()
  known = companded(0.0, np.log(100.0))
  latent = 10 * jax.random.normal(jax.random.key(1), SHAPE)
  np.testing.assert_array_equal(
    companding.make(plain).to_symbols(latent, known),
    plain.to_symbols(latent, known.inner),
  )


def test_gradients_reach_the_latent_and_both_parameters():
  quantizer = companding.make(rounding.make())

  def total(latent, log_a, log_reach):
    known = Companded(companded(0.0, 0.0).inner, log_a, log_reach)
    relaxed = quantizer.surrogate(latent, known, KEYS, 1.0)
    return (relaxed.value**2).sum() + relaxed.coded.sum()

  latent = 5 * jax.random.normal(jax.random.key(1), SHAPE)
  number = jnp.full((*SHAPE[:3], 1), 0.7)
  gradients = jax.jit(jax.grad(total, (0, 1, 2)))(latent, number, number)
  for gradient in gradients:
    assert jnp.isfinite(gradient).all() and (gradient != 0).all()
