import numpy as np
import pytest
from PIL import Image

from jaxlic.data import crops


def unique(height, width):
  """A photograph of which no two pixels are equal."""
  return np.arange(3 * height * width, dtype=np.uint8).reshape(height, width, 3)


def draw(photo, count, *, size, scales=(1.0, 1.0)):
  rng = np.random.default_rng(1)
  return [
    crops.draw(photo, rng, size=size, scales=scales) for _ in range(count)
  ]


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
