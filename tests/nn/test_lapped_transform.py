import jax
import numpy as np
import pytest

from jaxlic.nn import lapped_transform
from tests.conftest import slow


def coding_gain_db(covariance):
  """Arithmetic over geometric mean of the coefficients' variances."""
  variances = np.diag(covariance)
  return 10 * np.log10(variances.mean() / np.exp(np.log(variances).mean()))


def covariance(n, rho=0.95):
  """Of n samples of a unit first-order autoregressive process."""
  return rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))


@pytest.mark.parametrize(
  "matrix",
  [lapped_transform.dct_matrix(16), lapped_transform.prefilter_matrix(16)],
)
def test_matrices_are_orthogonal(matrix):
  # float64 sums of 16 products of order 1.
  np.testing.assert_allclose(matrix @ matrix.T, np.eye(16), atol=1e-14)


def test_dct_of_a_constant_is_its_first_coefficient():
  y = lapped_transform.dct_matrix(16) @ np.ones(16)
  np.testing.assert_allclose(y, [4.0] + [0.0] * 15, atol=1e-14)


@pytest.mark.parametrize("height", [16, slow(32), 80])
@pytest.mark.parametrize("width", [slow(16), 48])
def test_postfilter_inverts_prefilter_at_every_multiple_of_16(height, width):
  x = jax.random.normal(jax.random.key(0), (2, height, width, 3))
  y = lapped_transform.prefilter(x)
  # Four float32 products with orthogonal 16 x 16 matrices.
  np.testing.assert_allclose(lapped_transform.postfilter(y), x, atol=5e-6)
  energy = (x**2).sum()
  np.testing.assert_allclose((y**2).sum(), energy, rtol=1e-5)


def test_the_border_and_a_single_block_stay_as_they_are():
  x = jax.random.normal(jax.random.key(0), (1, 48, 16, 1))
  y = lapped_transform.prefilter(x)
  np.testing.assert_array_equal(y[:, :8], x[:, :8])
  np.testing.assert_array_equal(y[:, -8:], x[:, -8:])
  assert (y[:, 8:40] != x[:, 8:40]).any()


def test_coding_gain_is_that_of_the_lapped_transform():
  dct = lapped_transform.dct_matrix(16)
  # The 16-point DCT's gain at rho = 0.95 is 9.46 dB (Malvar, "Signal processing
  # with lapped transforms", 1992); the pre-filter adds 0.30 dB.
  np.testing.assert_allclose(
    coding_gain_db(dct @ covariance(16) @ dct.T), 9.4555, atol=1e-3
  )
  filters = np.eye(48)
  filters[8:24, 8:24] = filters[24:40, 24:40] = (
    lapped_transform.prefilter_matrix()
  )
  transform = dct @ filters[16:32]
  np.testing.assert_allclose(
    coding_gain_db(transform @ covariance(48) @ transform.T), 9.7593, atol=1e-3
  )


def test_prefilter_applies_the_matrix_that_was_analysed():
  x = jax.random.normal(jax.random.key(0), (1, 32, 16, 1))
  expected = lapped_transform.prefilter_matrix() @ np.asarray(x)[0, 8:24, :, 0]
  y = lapped_transform.prefilter(x)[0, 8:24, :, 0]
  # Float32 sums of 16 products of order 1.
  np.testing.assert_allclose(y, expected, atol=5e-6)
