import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.quantize import rounding
from jaxlic.quantize.lattices import points as lattice_points
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.types import Prediction, Quantizer
from tests.conftest import slow

SHAPE = (2, 3, 3, 16)
LATENT = 3 * jax.random.normal(jax.random.key(0), SHAPE)
MEAN = jax.random.normal(jax.random.key(1), SHAPE)
KNOWN = Prediction(mean=MEAN, scale=jnp.ones(SHAPE))
KEYS = jax.random.split(jax.random.key(2), 2)
LATTICES = [
  ("A2", 2),
  ("Dn*", 8),
  slow("E8", 8),
  slow("BW16", 16),
]


def compiled(name, n, surrogate="mixed"):
  """(the lattice, its quantizer)."""
  points = lattice_points.make(name, n)
  functions = map(jax.jit, lattice_quantizer.make(points, surrogate))
  return points, Quantizer(*functions)


@pytest.mark.parametrize(("name", "n"), LATTICES)
def test_what_is_decoded_is_the_nearest_point_in_cells_of_volume_1(name, n):
  points, quantizer = compiled(name, n)
  symbols = quantizer.to_symbols(LATENT, KNOWN)
  assert symbols.shape[:3] == SHAPE[:3] and symbols.dtype == jnp.int32
  assert symbols.shape[3] == sum(lattice_quantizer.plane_sizes(points, 16))
  decoded = quantizer.from_symbols(symbols, KNOWN)
  blocks = ((LATENT - MEAN) / points.step).reshape(-1, n)
  wanted = lattice_points.nearest(points, blocks) * points.step
  decoded_blocks = (decoded.value - MEAN).reshape(-1, n)
  np.testing.assert_allclose(decoded_blocks, wanted, atol=1e-5)
  coded = decoded.coded
  count = lattice_quantizer.plane_sizes(points, 16)[0]
  np.testing.assert_array_equal(coded[..., :count], symbols[..., :count])
  np.testing.assert_array_equal(coded[..., count:], decoded.value)


def test_the_integers_are_rounding():
  _, quantizer = compiled("Zn", 16)
  symbols = quantizer.to_symbols(LATENT, KNOWN)
  np.testing.assert_array_equal(symbols, rounding.to_symbols(LATENT, KNOWN))
  relaxed = quantizer.surrogate(LATENT, KNOWN, KEYS, 1.0)
  np.testing.assert_allclose(
    relaxed.value, rounding.from_symbols(symbols, KNOWN).value, atol=1e-6
  )


@pytest.mark.parametrize(
  ("name", "n", "bits"), [("Dn*", 16, 1), ("Dn*", 8, 2), slow("BW16", 16, 5)]
)
def test_blocks_share_their_coset_bits(name, n, bits):
  points, quantizer = compiled(name, n)
  assert lattice_quantizer.plane_sizes(points, 16)[0] == bits
  assert quantizer.to_symbols(LATENT, KNOWN)[..., :bits].max() == 1


@pytest.mark.parametrize("surrogate", lattice_quantizer.SURROGATES)
@pytest.mark.parametrize(("name", "n"), [slow("Dn*", 16), ("E8", 8)])
def test_surrogates_rate_noise_over_the_cell(name, n, surrogate):
  points, quantizer = compiled(name, n, surrogate)
  relaxed = quantizer.surrogate(LATENT, KNOWN, KEYS, 0.3)
  count = lattice_quantizer.plane_sizes(points, 16)[0]
  assert relaxed.coded.shape == (*SHAPE[:3], count + 16)
  bits, noisy = relaxed.coded[..., :count], relaxed.coded[..., count:]
  assert ((bits >= 0) & (bits <= 1)).all()
  noise = (noisy - LATENT).reshape(-1, n) / points.step
  nearest = lattice_points.nearest_with_coset(points, 0.999 * noise)[1]
  assert jnp.abs(nearest).max() == 0 and jnp.abs(noise).max() > 0.3
  # An image's noise is that of its key.
  alone = quantizer.surrogate(
    LATENT[1:], Prediction(MEAN[1:], KNOWN.scale[1:]), KEYS[1:], 0.3
  )
  np.testing.assert_array_equal(alone.coded, relaxed.coded[1:])
  symbols = quantizer.to_symbols(LATENT, KNOWN)
  if surrogate != "softmax":
    np.testing.assert_array_equal(bits, symbols[..., :count])
  decoded = {
    "noise": noisy,
    "mixed": quantizer.from_symbols(symbols, KNOWN).value,
    "softmax": quantizer.surrogate(LATENT, KNOWN, KEYS, 0.3).value,
  }[surrogate]
  np.testing.assert_allclose(relaxed.value, decoded, atol=1e-5)


def test_a_cold_softmax_decodes_what_files_do():
  _, quantizer = compiled("Dn*", 16, "softmax")
  symbols = quantizer.to_symbols(LATENT, KNOWN)
  y_hat = quantizer.from_symbols(symbols, KNOWN).value
  relaxed = quantizer.surrogate(LATENT, KNOWN, KEYS, 1e-6)
  np.testing.assert_allclose(relaxed.value, y_hat, atol=1e-4)
  np.testing.assert_allclose(
    relaxed.coded[..., :1], symbols[..., :1], atol=1e-4
  )
  hot = quantizer.surrogate(LATENT, KNOWN, KEYS, 10.0)
  assert jnp.abs(hot.value - y_hat).max() > 0.1


@pytest.mark.parametrize("surrogate", lattice_quantizer.SURROGATES)
def test_gradients_are_finite_and_reach_every_latent(surrogate):
  _, quantizer = compiled("E8", 8, surrogate)

  def total(latent):
    relaxed = quantizer.surrogate(latent, KNOWN, KEYS, 0.5)
    return (relaxed.value**2).sum() + relaxed.coded[..., -16:].sum()

  gradient = jax.grad(total)(LATENT)
  assert jnp.isfinite(gradient).all() and (gradient != 0).all()


def test_blocks_that_do_not_divide_the_channels_are_refused():
  points = lattice_points.make("E8")
  lattice_quantizer.check_channels(points, 16)
  with pytest.raises(JaxlicError, match="of E8 takes 8 channels, .* got 12"):
    lattice_quantizer.check_channels(points, 12)


def test_an_unknown_surrogate_is_refused():
  with pytest.raises(
    JaxlicError, match="one of noise, mixed, softmax, got 'ha"
  ):
    lattice_quantizer.make(lattice_points.make("E8"), "hard")
