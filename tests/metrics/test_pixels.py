import numpy as np
import pytest

from jaxlic import metrics
from jaxlic.errors import JaxlicError


@pytest.mark.parametrize("error", [1, 16, 255])
def test_psnr_of_a_constant_error_is_its_closed_form(error):
  a = np.zeros((3, 5, 3), np.uint8)
  expected = 20 * np.log10(255 / error)
  assert metrics.psnr_db(a, a + np.uint8(error)) == pytest.approx(expected)


def test_psnr_does_not_wrap_around_in_uint8():
  low, high = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
  assert metrics.psnr_db(low, high) == metrics.psnr_db(high, low)


def test_psnr_of_equal_images_is_infinite():
  a = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
  assert metrics.psnr_db(a, a) == np.inf


def test_psnr_refuses_to_broadcast():
  a, b = np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 3), np.uint8)
  with pytest.raises(JaxlicError, match=r"one shape, got \(4, 4, 3\)"):
    metrics.psnr_db.__wrapped__(a, b)


def test_bpp_counts_bits():
  assert metrics.bpp(768 * 512 // 8, 512, 768) == 1.0
