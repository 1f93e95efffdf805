import numpy as np
import pytest
from PIL import Image

from jaxlic.data import crops


def unique(height, width):
  """A photograph of which no two pixels are equal."""
  return np.arange(3 * height * width, dtype=np.uint8).reshape(height, width, 3)


def draw(photo, count, **options):
  rng = np.random.default_rng(1)
  return [crops.draw(photo, rng, **options) for _ in range(count)]


def orientations(window):
  both = [window, window[:, ::-1]]
  return {a.tobytes() for w in both for a in (w, w.swapaxes(0, 1))}


def test_crops_at_scale_1_are_all_windows_in_all_orientations_alone():
  photo = unique(4, 5)
  windows = [
    photo[top : top + 3, left : left + 3] for top in (0, 1) for left in range(3)
  ]
  wanted = set().union(*map(orientations, windows))
  # 24 crops of equal odds: a correct draw misses one of them in 500 with odds
  # of 24 exp(-500 / 24) < 1e-7.
  drawn = {crop.tobytes() for crop in draw(photo, 500, size=3)}
  assert len(wanted) == 24 and drawn == wanted


@pytest.mark.parametrize("size", [4, 9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 30), (5, 4)])
def test_small_photographs_are_extended_by_reflection(shape, size):
  photo = unique(*shape)
  extended = np.pad(
    photo,
    [(0, max(size - side, 0)) for side in shape] + [(0, 0)],
    # np.pad has nothing to reflect at in a side of 1; its only value is meant.
    mode="edge" if shape == (1, 1) else "reflect",
  )
  windows = [
    extended[top : top + size, left : left + size]
    for top in range(extended.shape[0] - size + 1)
    for left in range(extended.shape[1] - size + 1)
  ]
  wanted = set().union(*map(orientations, windows))
  for scales in [(1.0, 1.0), (0.1, 0.5)]:
    drawn = draw(photo, 20, size=size, scales=scales)
    assert {crop.tobytes() for crop in drawn} <= wanted


def test_a_scale_too_low_takes_the_largest_window():
  photo = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
  resample = Image.Resampling.LANCZOS
  whole = np.asarray(Image.fromarray(photo).resize((8, 8), resample))
  drawn = {c.tobytes() for c in draw(photo, 20, size=8, scales=(0.1, 0.2))}
  assert drawn <= orientations(whole)


def test_scales_are_uniform_within_their_bounds():
  # Of a horizontal ramp of slope 1 per pixel, a crop at scale s has slope 1/s.
  ramp = np.arange(40, 200, dtype=np.uint8)
  photo = np.broadcast_to(ramp[None, :, None], (160, 160, 3)).copy()
  # Side 32 needs windows of up to 128 pixels.
  drawn = draw(photo, 2000, size=32, scales=(0.25, 1.0))
  steps = [
    max(
      abs(int(c[4, 27, 0]) - int(c[4, 4, 0])),
      abs(int(c[27, 4, 0]) - int(c[4, 4, 0])),
    )
    for c in drawn
  ]
  scales = 23 / np.array(steps)
  # Rounding moves a step of 23..92 by less than 1, and so a scale by 0.045.
  assert 0.24 < scales.min() < 0.26 and 0.95 < scales.max() < 1.05
  # One standard error of the mean is 0.75 / sqrt(12 * 2000) = 0.005.
  assert scales.mean() == pytest.approx(0.625, abs=0.025)


def test_shrunk_crops_are_antialiased():
  # Lines one pixel wide shrink to their mean; without a filter they stay lines.
  photo = np.zeros((64, 64, 3), np.uint8)
  photo[:, ::2] = 200
  for crop in draw(photo, 10, size=16, scales=(0.25, 0.3)):
    assert np.abs(crop[2:-2, 2:-2].astype(int) - 100).max() < 20


def resized(photo, side, size):
  """All windows of a side, each resized by Pillow, in all orientations."""
  height, width = photo.shape[:2]
  windows = [
    photo[top : top + side, left : left + side]
    for top in range(height - side + 1)
    for left in range(width - side + 1)
  ]
  shrunk = [
    Image.fromarray(w.copy()).resize((size, size), Image.Resampling.LANCZOS)
    for w in windows
  ]
  return set().union(*(orientations(np.asarray(image)) for image in shrunk))


def test_windows_are_resized_as_pillow_resizes_each_of_them():
  photo = np.random.default_rng(0).integers(0, 256, (35, 34, 3), np.uint8)
  wanted = resized(photo, 32, 8)
  # 48 of equal odds, as above: one is missed with odds of 48 exp(-800 / 48).
  drawn = {c.tobytes() for c in draw(photo, 800, size=8, windows=(32,))}
  assert len(wanted) == 48 and drawn == wanted


def test_a_window_of_the_crops_size_holds_the_photographs_samples():
  photo = unique(5, 6)
  options = {"size": 4, "windows": (4,)}
  drawn = [crop.tobytes() for crop in draw(photo, 50, **options)]
  # By the same draws as without windows.
  assert drawn == [crop.tobytes() for crop in draw(photo, 50, size=4)]


def test_all_windows_that_fit_come_alike_and_no_other():
  # Of a horizontal ramp of slope 1 per pixel, a window of 8 k has slope k.
  ramp = np.arange(0, 140, dtype=np.uint8)
  photo = np.broadcast_to(ramp[None, :, None], (64, 140, 3)).copy()
  drawn = draw(photo, 3000, size=8, windows=(128, 64, 8, 32))
  corners = [c[[2, 2, 5], [2, 5, 2], 0].astype(int) for c in drawn]
  slopes = [max(abs(b - a), abs(d - a)) / 3 for a, b, d in corners]
  sides, counts = np.unique(8 * np.rint(slopes), return_counts=True)
  assert sides.tolist() == [8, 32, 64]
  # Five standard deviations of a binomial count of mean 1000.
  assert np.abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)


def test_where_no_window_fits_the_smallest_takes_a_reflected_photograph():
  photo = unique(5, 9)
  extended = np.pad(photo, [(0, 3), (0, 0), (0, 0)], mode="reflect")
  drawn = {c.tobytes() for c in draw(photo, 100, size=4, windows=(16, 8))}
  assert drawn == resized(extended, 8, 4)


def test_without_windows_five_draws_make_a_crop():
  # Scale, row, column, flip, transpose: runs that go on rely on their order.
  photo = unique(9, 11)
  one, other = np.random.default_rng(5), np.random.default_rng(5)
  for _ in range(20):
    _, top, left, flip, transpose = one.random(5)
    row, column = int(6 * top), int(8 * left)
    wanted = photo[row : row + 4, column : column + 4]
    wanted = wanted[:, ::-1] if flip < 0.5 else wanted
    wanted = wanted.swapaxes(0, 1) if transpose < 0.5 else wanted
    np.testing.assert_array_equal(crops.draw(photo, other, size=4), wanted)
