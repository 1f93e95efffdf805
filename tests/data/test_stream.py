import itertools

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import stream
from jaxlic.types import JaxlicError


def unique(height, width, *, first=0):
  """A photograph of which no two samples are equal."""
  count = 3 * height * width
  return np.arange(first, first + count, dtype=np.uint8).reshape(
    height, width, 3
  )


PHOTOS = [unique(4, 5), unique(3, 6, first=100)]


def take(count, photos=PHOTOS, **options):
  options = {"batch": 2, "crop": 3, "seed": 7} | options
  return list(itertools.islice(stream.batches(photos, **options), count))


def save(folder, *sizes):
  for i, (height, width) in enumerate(sizes):
    photo = unique(height, width, first=i)
    Image.fromarray(photo).save(folder / f"{i}.png")


def test_a_resumed_run_sees_the_batches_of_one_that_went_on():
  whole, resumed = take(6), take(4, start=2)
  np.testing.assert_array_equal(whole[2:], resumed)


def test_batches_differ_by_step_and_by_seed():
  first, second = take(2, batch=8)
  (other,) = take(1, batch=8, seed=8)
  assert (first != second).any() and (first != other).any()


def test_batches_are_of_bytes_in_the_shape_asked_for():
  (batch,) = take(1, batch=5)
  assert batch.shape == (5, 3, 3, 3) and batch.dtype == np.uint8


def test_crops_are_all_windows_flipped_and_transposed_and_nothing_else():
  windows = [
    photo[top : top + 3, left : left + 3]
    for photo in PHOTOS
    for top in range(photo.shape[0] - 2)
    for left in range(photo.shape[1] - 2)
  ]
  flipped = windows + [window[:, ::-1] for window in windows]
  wanted = flipped + [window.swapaxes(0, 1) for window in flipped]
  # 40 crops, the rarest with odds of 1 in 48: a correct stream misses one of
  # them in 1,000 draws with odds of 40 exp(-1000 / 48) < 1e-7.
  (found,) = take(1, batch=1000)
  assert {crop.tobytes() for crop in found} == {w.tobytes() for w in wanted}


def test_photographs_are_drawn_in_proportion_to_their_pixels():
  photos = [np.full((4, 4, 3), 0, np.uint8), np.full((4, 12, 3), 1, np.uint8)]
  (batch,) = take(1, photos, batch=10_000)
  # One standard error is sqrt(0.75 * 0.25 / 10,000) = 0.0043.
  assert batch[:, 0, 0, 0].mean() == pytest.approx(0.75, abs=0.015)


def test_photographs_below_the_size_of_a_crop_are_left_out(tmp_path):
  save(tmp_path, (4, 4), (3, 9), (9, 3), (5, 4))
  photos = stream.load_photos(tmp_path, smallest=4)
  assert [photo.shape for photo in photos] == [(4, 4, 3), (5, 4, 3)]
  np.testing.assert_array_equal(photos[1], unique(5, 4, first=3))


def test_a_folder_of_photographs_too_small_is_refused(tmp_path):
  save(tmp_path, (3, 9))
  with pytest.raises(JaxlicError, match="at least 4x4 pixels, .* holds none"):
    stream.load_photos(tmp_path, smallest=4)


def test_a_folder_without_photographs_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no images here"):
    stream.load_photos(tmp_path, smallest=4)


def test_a_missing_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no such folder"):
    stream.load_photos(tmp_path / "missing", smallest=4)
