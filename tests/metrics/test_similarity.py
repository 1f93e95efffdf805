import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import metrics
from jaxlic.errors import JaxlicError


def _pair(height, width):
  """A striped image, and one darker and noisier: integers on any platform."""
  y, x = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
  a = 128 + 100 * np.sin(x / (5 + np.arange(3)) + y / 9)
  a = a.round().astype(np.uint8)
  noise = np.random.default_rng(7).integers(-30, 31, a.shape)
  return a, np.clip(a * 0.9 + 10 + noise, 0, 255).round().astype(np.uint8)


# From pytorch_msssim.ms_ssim 1.0.0, torch 2.13.0, float64, data_range=255, on
# the same pairs. Its float32 differs by 6e-8; on the second pair, zeros behind
# odd sides would differ by 1.5e-4, copies of the edge by 1e-5.
@pytest.mark.parametrize(
  ("height", "width", "expected"),
  [(200, 264, 0.9655301551817518), (161, 175, 0.9653525006686473)],
)
def test_ms_ssim_equals_pytorch_msssim(height, width, expected):
  a, b = _pair(height, width)
  value = metrics.ms_ssim(a[None], b[None])
  np.testing.assert_allclose(value, [expected], atol=1e-6)


def test_ms_ssim_does_not_depend_on_the_unit():
  a, b = (jnp.asarray(x[None], jnp.float32) for x in _pair(161, 161))
  np.testing.assert_allclose(
    metrics.ms_ssim(a / 255, b / 255, peak=1.0),
    metrics.ms_ssim(a, b),
    rtol=1e-6,  # some float32 roundings
  )


def test_ms_ssim_of_equal_images_is_one():
  a, _ = _pair(161, 161)
  np.testing.assert_allclose(metrics.ms_ssim(a[None], a[None]), [1], rtol=1e-6)


def test_ms_ssim_keeps_the_images_of_a_batch_apart():
  a, b = _pair(161, 161)
  both = metrics.ms_ssim(np.stack([a, a]), np.stack([b, a]))
  assert both.shape == (2,)
  np.testing.assert_allclose(both[:1], metrics.ms_ssim(a[None], b[None]))


def test_ms_ssim_has_finite_gradients_where_similarity_is_negative():
  a = jnp.asarray(_pair(161, 161)[0][None], jnp.float32)
  slope = jax.jit(jax.grad(lambda b: metrics.ms_ssim(a, b).sum()))
  for other in (a, 255 - a):
    gradient = slope(other)
    assert jnp.isfinite(gradient).all()


def test_ms_ssim_of_a_negative_is_zero():
  a, _ = _pair(161, 161)
  assert metrics.ms_ssim(a[None], 255 - a[None])[0] == 0


def test_ms_ssim_refuses_images_too_small_for_five_scales():
  a = np.zeros((1, 160, 200, 3), np.uint8)
  with pytest.raises(JaxlicError, match="at least 161 pixels, got 160x200"):
    metrics.ms_ssim(a, a)


def test_ms_ssim_db_of_0_99_is_20():
  assert metrics.ms_ssim_db(0.99) == pytest.approx(20)


def test_ms_ssim_db_of_one_is_infinite():
  assert metrics.ms_ssim_db(1.0) == np.inf
