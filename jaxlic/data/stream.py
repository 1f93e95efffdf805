"""Training batches: random crops of a folder of photographs held in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxlic.data import images
from jaxlic.types import JaxlicError


def load_photos(folder: str | Path, *, smallest: int) -> list[np.ndarray]:
  """Returns the photographs of a folder as uint8 [H W 3], in name order.

  Those with a side below `smallest` pixels are left out.

  Raises:
    JaxlicError: If the folder holds no photograph of that size.
  """
  photos = [images.read(path).pixels for path in images.list_photos(folder)]
  photos = [photo for photo in photos if min(photo.shape[:2]) >= smallest]
  if not photos:
    raise JaxlicError(
      f"training needs photographs of at least {smallest}x{smallest} pixels, "
      f"{folder} holds none; lower data.crop or add larger ones"
    )
  return photos


def batches(
  photos: list[np.ndarray], *, batch: int, crop: int, seed: int, start: int = 0
) -> Iterator[UInt8[np.ndarray, "b h w 3"]]:
  """Yields batches of random crops, flipped and transposed at random.

  Batch k depends on `seed` and k alone, so a run resumes at `start` exactly.
  Photographs are drawn in proportion to their pixels.
  """
  sizes = np.array([photo.shape[0] * photo.shape[1] for photo in photos], float)
  odds = sizes / sizes.sum()
  step = start
  while True:
    rng = np.random.default_rng((seed, step))
    chosen = rng.choice(len(photos), batch, p=odds)
    yield np.stack([_crop(photos[i], crop, rng) for i in chosen])
    step += 1


def _crop(photo, size, rng):
  top = rng.integers(photo.shape[0] - size + 1)
  left = rng.integers(photo.shape[1] - size + 1)
  crop = photo[top : top + size, left : left + size]
  if rng.integers(2):
    crop = crop[:, ::-1]
  return crop.swapaxes(0, 1) if rng.integers(2) else crop
