"""Batches that functions are given, checked by their shapes.

Values that JAX traces cannot be judged; shapes always are known.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.codec import inputs
from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.types import Coded, Model, ModelSpec, Quality

# They are checked with a line that says what to do.
Images = Any  # [b H W 3]
Levels = Any  # [b]
Keys = Any  # [b]
Maps = Any  # [b H W]


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
  checked = [
    inputs.checked_quality(spec, q) for q in np.asarray(quality).tolist()
  ]
  return jnp.asarray(checked, jnp.float32)


def check_images(
  spec: ModelSpec,
  images: Images,
  quality: Levels = None,
  quality_map: Maps = None,
) -> Float[Array, "b"]:
  """Checks a batch of images of any size; returns the levels of its qualities.

  Raises:
    JaxlicError: If images are no batch of floats, or too large, the model takes
      no map, or this one is not of the images' shape; or as `levels`.
  """
  count, height, width = _batch_shape(images)
  inputs.check_area(spec, height, width)
  if quality_map is not None:
    inputs.check_takes_map(spec)
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
  inputs.check_area(model.spec, *size)
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
