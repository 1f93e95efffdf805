"""Random square crops of a photograph, at random scales or of given sizes."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def draw(
  photo: UInt8[np.ndarray, "H W 3"],
  rng: np.random.Generator,
  *,
  size: int,
  scales: tuple[float, float] = (1.0, 1.0),
  windows: tuple[int, ...] = (),
) -> UInt8[np.ndarray, "{size} {size} 3"]:
  """Returns a random crop, flipped and transposed at random.

  The scale s is uniform within `scales`: a window of `size / s` pixels is
  shrunk to `size`, antialiased. It is raised where the window would not fit; at
  scale 1 the crop holds the photograph's own samples. Photographs smaller than
  the crop are first extended by reflection at their last row and column, as
  often as it takes.

  With `windows`, the window has one of these sides instead, all that fit the
  photograph alike; where none does, the smallest. It is cut at a whole position
  and then resized by itself, as data sets of crops are made.

  Args:
    photo: The photograph.
    rng: Drawn from in the same way for every photograph.
    size: Side of the crop in pixels.
    scales: Lowest and highest scale, `0 < lowest <= highest <= 1`.
    windows: Sides of windows in pixels, of `size` or more; (): by `scales`.
  """
  scale, top, left, flip, transpose = rng.random(5)
  if windows:
    crop = _resized(photo, size, _fitting(photo, windows, scale), top, left)
  else:
    crop = _scaled(photo, size, scales, scale, top, left)
  pixels = crop.view("V3")[..., 0]  # of three bytes: copied twice as fast
  pixels = pixels[:, ::-1] if flip < 0.5 else pixels
  pixels = pixels.T if transpose < 0.5 else pixels
  return np.ascontiguousarray(pixels)[..., None].view(np.uint8)


def _fitting(photo, windows, choice):
  """One of the sides that fit, or the smallest; `choice` within [0, 1)."""
  fitting = [s for s in sorted(windows) if s <= min(photo.shape[:2])]
  return fitting[int(choice * len(fitting))] if fitting else min(windows)


def _resized(photo, size, window, top, left):
  """A window at a whole position, resized without what lies around it."""
  crop = _cut(_extend(photo, window), window, top, left)
  if window == size:
    return crop
  image, resample = Image.fromarray(crop), Image.Resampling.LANCZOS
  return np.asarray(image.resize((size, size), resample))


def _scaled(photo, size, scales, scale, top, left):
  """A window at a scale between two; `scale`, `top`, `left` within [0, 1)."""
  photo = _extend(photo, size)
  height, width = photo.shape[:2]
  low, high = scales
  scale = max(low + (high - low) * scale, size / min(height, width))
  if scale >= 1:
    return _cut(photo, size, top, left)
  return _shrink(photo, size, min(size / scale, height, width), top, left)


def _cut(photo, size, top, left):
  """A window at one of the whole positions; `top`, `left` within [0, 1)."""
  height, width = photo.shape[:2]
  row = int(top * (height - size + 1))
  column = int(left * (width - size + 1))
  return photo[row : row + size, column : column + size]


def _shrink(photo, size, window, top, left):
  """A window of any size and position, resampled; `top`, `left` as above."""
  height, width = photo.shape[:2]
  y, x = top * (height - window), left * (width - window)
  box = (x, y, min(x + window, width), min(y + window, height))
  image = Image.fromarray(photo)
  resample = Image.Resampling.LANCZOS
  return np.asarray(image.resize((size, size), resample, box=box))


def _extend(photo, size):
  """The photograph with sides of `size` or more."""
  height, width = photo.shape[:2]
  if min(height, width) >= size:
    return photo
  rows = _reflected(height, max(height, size))
  columns = _reflected(width, max(width, size))
  return photo[rows[:, None], columns]


def _reflected(side, wanted):
  """Indices 0, 1, ..., side - 1, side - 2, ..., 0, 1, ..."""
  period = max(2 * (side - 1), 1)
  i = np.arange(wanted) % period
  return np.minimum(i, period - i)
