"""What is coded: images, qualities and maps, checked and brought into shape."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.quality import NEUTRAL
from jaxlic.types import Coded, Grid, Model, ModelSpec, Quality

# Whole blocks of the largest images, and of strips that are mostly padding.
MAX_AREA = container.MAX_PIXELS + 2**22

Image = Float[Array, "H W 3"] | Float[np.ndarray, "H W 3"]
# Those are checked with a line that says what to do.
Map = Any  # [H W]
Images = Any  # [b H W 3]
Levels = Any  # [b]
Keys = Any  # [b]


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
    JaxlicError: If the image is too large, a value is out of its range, or the
      map is not of the image's size, or the model takes none.
  """
  height, width = image.shape[:2]
  check_area(spec, height, width)
  image = np.asarray(image, np.float32)
  _check_values("an image's values", image)
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


def levels(spec: ModelSpec, quality: Levels, count: int) -> Float[Array, "b"]:
  """Returns the qualities of `count` images as files will hold them.

  Those that are traced cannot be refused, and are clipped; None: all are 0.

  Raises:
    JaxlicError: If there is not one for each image, or one is not a quality of
      the model.
  """
  if quality is None:
    return jnp.zeros(count)
  if jnp.shape(quality) != (count,):
    raise JaxlicError(
      f"each of {count} images has a quality, an array [{count}], got "
      f"{_told(quality)}; write jnp.full({count}, quality) for one of all"
    )
  if isinstance(quality, jax.core.Tracer):
    steps = container.QUALITY_STEPS
    level = jnp.clip(quality.astype(jnp.float32), 0.0, spec.max_quality)
    return jnp.round(level * steps) / steps
  checked = [checked_quality(spec, q) for q in np.asarray(quality).tolist()]
  return jnp.asarray(checked, jnp.float32)


def check_images(
  spec: ModelSpec,
  images: Images,
  quality: Levels = None,
  quality_map: Any = None,
) -> Float[Array, "b"]:
  """Checks a batch of images of any size; returns the levels of its qualities.

  Raises:
    JaxlicError: If images are no batch of floats, or too large, the model takes
      no map, or this one is not of the images' shape; or as `levels`.
  """
  count, height, width = _batch_shape(images)
  check_area(spec, height, width)
  if quality_map is not None:
    check_takes_map(spec)
    if jnp.shape(quality_map) != (count, height, width):
      raise JaxlicError(
        f"quality maps have a number per pixel, {[count, height, width]}, got "
        f"{_told(quality_map)}; resize them"
      )
  return levels(spec, quality, count)


def check_symbols(
  model: Model, symbols: dict[str, Coded], size: tuple[int, int]
) -> None:
  """Checks symbols against the size of images that is claimed.

  Raises:
    JaxlicError: If a stage is missing, or has other positions.
  """
  check_area(model.spec, *size)
  names = [stage.spec.name for stage in model.stages]
  if set(symbols) != set(names):
    raise JaxlicError(
      f"{model.spec.name} has symbols of {', '.join(names)}, got "
      f"{', '.join(symbols) or 'none'}; give what quantize or pop returns"
    )
  for stage in model.stages:
    if stage.spec.stride is None:
      continue
    wanted = [-(-side // stage.spec.stride) for side in size]
    positions = list(symbols[stage.spec.name].symbols.shape[1:3])
    if positions != wanted:
      raise JaxlicError(
        f"images of {size[0]} x {size[1]} have {wanted} positions of "
        f"{stage.spec.name}, got {positions}; give the size of the images that "
        "were quantized"
      )


def check_batch(
  spec: ModelSpec, images: Images, quality: Quality, keys: Keys
) -> None:
  """Checks what training is given.

  Raises:
    JaxlicError: If images are no batch, or not of whole strides, or have not a
      quality and a key each.
  """
  count, height, width = _batch_shape(images)
  if height % spec.stride or width % spec.stride:
    raise JaxlicError(
      f"sides are multiples of {spec.name}'s stride, {spec.stride}, got "
      f"{height} x {width}; crop them, or evaluate, which takes any size"
    )
  if jnp.shape(quality.level) != (count,):
    raise JaxlicError(
      f"each of {count} images has a level, Quality of an array [{count}], got "
      f"{_told(quality.level)}; write Quality(jnp.full({count}, level))"
    )
  if jnp.shape(keys)[:1] != (count,):
    raise JaxlicError(
      f"each of {count} images has a key, an array [{count}], got "
      f"{_told(keys)}; write jax.random.split(key, {count})"
    )


def _batch_shape(images: Images) -> tuple[int, int, int]:
  shape = jnp.shape(images)
  floats = jnp.issubdtype(images.dtype, jnp.floating)
  if len(shape) != 4 or shape[3] != 3 or not shape[0] or not floats:
    raise JaxlicError(
      f"images are floats in [0, 1], [b H W 3], got {_told(images)}; give one "
      "as image[None], and 8 bits divided by 255"
    )
  return shape[:3]


def _told(array: Any) -> str:
  """The type and shape of an array, or of a number."""
  kind = getattr(array, "dtype", type(array).__name__)
  return f"{kind} {list(jnp.shape(array))}"


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
  _check_values("a quality map's values", values)
  return values


def _check_values(name: str, values: np.ndarray) -> None:
  if not (values.min() >= 0 and values.max() <= 1):  # False for NaN, too
    raise JaxlicError(
      f"{name} are within 0..1, got {values.min()}..{values.max()}; divide "
      "8-bit samples by 255"
    )
