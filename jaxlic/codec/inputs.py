"""What is coded: images, qualities and maps, checked and brought into shape."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.quality import NEUTRAL
from jaxlic.types import Grid, ModelSpec, Quality

# Whole blocks of the largest images, and of strips that are mostly padding.
MAX_AREA = container.MAX_PIXELS + 2**22

# They are checked with a line that says what to do.
Image = Any  # floats [H W 3]
Map = Any  # [H W]


def grid(spec: ModelSpec, height: int, width: int) -> Grid:
  """Returns how many positions an image has, down and to the right."""
  return -(-height // spec.stride), -(-width // spec.stride)


def with_map(
  spec: ModelSpec, quality: Quality, shape: tuple[int, ...]
) -> Quality:
  """Returns the quality, for models that take a map with one: neutral if none.

  Raises:
    JaxlicError: If there is a map, and the model takes none.
  """
  if quality.map is not None:
    check_takes_map(spec)
  elif spec.takes_map:
    return quality._replace(map=jnp.full(shape[:3], NEUTRAL))
  return quality


def padded(
  spec: ModelSpec, image: Image, level: float, quality_map: Map | None
) -> tuple[Float[Array, "1 h w 3"], Quality]:
  """Returns an image and its quality, the last row and column repeated.

  They are so many that blocks are whole.

  Raises:
    JaxlicError: If it is no image or too large, a value is out of its range, or
      the map is not of the image's size, or the model takes none.
  """
  check_image(image)
  height, width = image.shape[:2]
  check_area(spec, height, width)
  image = np.asarray(image, np.float32)
  check_values("an image's values", image)
  pad = padding(spec, height, width)
  if quality_map is not None:
    check_takes_map(spec)
    quality_map = _checked_map(quality_map, (height, width))
    quality_map = jnp.asarray(np.pad(quality_map, pad, mode="edge")[None])
  blocks = np.pad(image, (*pad, (0, 0)), mode="edge")[None]
  # With a neutral map here, one program serves images with a map and without.
  quality = Quality(vector(level), quality_map)
  return jnp.asarray(blocks), with_map(spec, quality, blocks.shape)


def padding(
  spec: ModelSpec, height: int, width: int
) -> tuple[tuple[int, int], tuple[int, int]]:
  """Returns how many rows and columns an image lacks, after its last ones."""
  rows, columns = (n * spec.stride for n in grid(spec, height, width))
  return (0, rows - height), (0, columns - width)


def vector(level: float) -> Float[Array, "1"]:
  """Returns a level as that of a batch of one image."""
  return jnp.full((1,), level, jnp.float32)


def checked_quality(spec: ModelSpec, quality: float) -> float:
  """Returns the quality as a file will hold it; 0 for models of one rate.

  Raises:
    JaxlicError: If it is not a quality of the model.
  """
  top = spec.max_quality
  if top == 0:
    return 0.0
  if not 0 <= quality <= top:
    raise JaxlicError(
      f"quality is a number from 0 to {top} for {spec.name}, got {quality}"
    )
  return container.quantize_quality(float(quality))


def check_image(image: Any) -> None:
  """Checks the shape of an image.

  Raises:
    JaxlicError: If it is no [H W 3].
  """
  shape = np.shape(image)
  if len(shape) != 3 or shape[2] != 3:
    raise JaxlicError(
      f"an image is [H W 3], got {told(image)}; take one of a batch, and "
      "convert others to RGB"
    )


def told(array: Any) -> str:
  """Returns the type and shape of an array, or of a number, for errors."""
  kind = getattr(array, "dtype", type(array).__name__)
  return f"{kind} {list(np.shape(array))}"


def check_area(spec: ModelSpec, height: int, width: int) -> None:
  """Bounds the work, which is that of whole blocks: strips are padded most.

  Raises:
    JaxlicError: If the image is empty, or too large.
  """
  container.check_size(height, width)
  rows, columns = grid(spec, height, width)
  area = rows * columns * spec.stride**2
  if area > MAX_AREA:
    raise JaxlicError(
      f"an image in whole blocks of {spec.stride} has at most {MAX_AREA} "
      f"pixels, {height} x {width} makes {area}; split it into tiles"
    )


def check_takes_map(spec: ModelSpec) -> None:
  """Checks that a model's encoder sees a map.

  Raises:
    JaxlicError: If it does not.
  """
  if not spec.takes_map:
    raise JaxlicError(
      f"{spec.name} takes no quality map; use a model that does"
    )


def _checked_map(quality_map: Map, size: tuple[int, int]) -> np.ndarray:
  try:
    values = np.asarray(quality_map, np.float32)
  except (TypeError, ValueError):
    values = np.zeros(0, np.float32)
  if values.shape != size:
    raise JaxlicError(
      f"a quality map is an array with a number per pixel, {size[0]} x "
      f"{size[1]}, got {type(quality_map).__name__} {values.shape}; resize it"
    )
  check_values("a quality map's values", values)
  return values


def check_values(name: str, values: Any) -> None:
  """Raises a JaxlicError for values of an array outside [0, 1]."""
  if not (values.min() >= 0 and values.max() <= 1):  # False for NaN, too
    raise JaxlicError(
      f"{name} are within 0..1, got {values.min()}..{values.max()}; divide "
      "8-bit samples by 255"
    )
