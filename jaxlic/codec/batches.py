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
Qualities = Any  # a Quality, of levels [b]
Symbols = Any  # {stage name: Coded}
Size = Any  # (H, W)


def levels(spec: ModelSpec, quality: Levels, count: int) -> Float[Array, "b"]:
  """Returns the qualities of `count` images as files will hold them.

  Those that are traced cannot be refused, and are clipped. None is for models
  of one rate.

  Raises:
    JaxlicError: If there is not one for each image, or one is not a quality of
      the model.
  """
  if quality is None and not spec.max_quality:
    return jnp.zeros(count)
  if np.shape(quality) != (count,):
    raise JaxlicError(
      f"each of {count} images has a quality, an array [{count}], got "
      f"{inputs.told(quality)}; write jnp.full({count}, quality) for one of all"
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
      no map, or this one is not of the images' shape; if a value that is not
      traced is outside [0, 1]; or as `levels`.
  """
  count, height, width = _batch_shape(images)
  inputs.check_area(spec, height, width)
  if quality_map is not None:
    inputs.check_takes_map(spec)
    if np.shape(quality_map) != (count, height, width):
      raise JaxlicError(
        f"quality maps have a number per pixel, {[count, height, width]}, got "
        f"{inputs.told(quality_map)}; resize them"
      )
  _judge("an image's values", images)
  _judge("a quality map's values", quality_map)
  return levels(spec, quality, count)


def check_symbols(model: Model, symbols: Symbols, size: Size) -> None:
  """Checks symbols against the size of images that is claimed.

  Raises:
    JaxlicError: If the size is no pair, a stage is missing, holds no integers,
      or has other positions or as many images as no other.
  """
  _check_size(size)
  inputs.check_area(model.spec, *size)
  names = [stage.spec.name for stage in model.stages]
  if set(symbols) != set(names):
    raise JaxlicError(
      f"{model.spec.name} has symbols of {', '.join(names)}, got "
      f"{', '.join(symbols) or 'none'}; give what quantize or pop returns"
    )
  for name in names:
    _check_integers(name, symbols[name])
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
  counts = {len(symbols[name].symbols): name for name in names}
  if len(counts) > 1:
    told = " and ".join(f"{n} of {name}" for n, name in counts.items())
    raise JaxlicError(
      f"symbols are of one batch, got {told}; give all that quantize returns"
    )


def check_batch(
  spec: ModelSpec, images: Images, quality: Qualities, keys: Keys
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
  level = quality.level if isinstance(quality, Quality) else quality
  if level is quality or np.shape(level) != (count,):
    raise JaxlicError(
      f"each of {count} images has a level, Quality of an array [{count}], got "
      f"{inputs.told(level)}; write Quality(jnp.full({count}, level))"
    )
  if _keys_shape(keys) != (count,):
    raise JaxlicError(
      f"each of {count} images has a key, an array [{count}], got "
      f"{inputs.told(keys)}; write jax.random.split(key, {count})"
    )


def _judge(name: str, values: Any) -> None:
  """Refuses values outside [0, 1], unless they are traced."""
  if values is not None and not isinstance(values, jax.core.Tracer):
    inputs.check_values(name, values)


def _batch_shape(images: Images) -> tuple[int, int, int]:
  shape = np.shape(images)
  floats = jnp.issubdtype(_dtype(images), jnp.floating)
  if len(shape) != 4 or shape[3] != 3 or not shape[0] or not floats:
    raise JaxlicError(
      f"images are floats in [0, 1], [b H W 3], got {inputs.told(images)}; "
      "give one as image[None], and 8 bits divided by 255"
    )
  return shape[:3]


def _keys_shape(keys: Keys) -> tuple[int, ...]:
  """The shape of keys, of which those of the older form have an axis more."""
  typed = jnp.issubdtype(_dtype(keys), jax.dtypes.prng_key)
  return np.shape(keys) if typed else np.shape(keys)[:-1]


def _check_size(size: Size) -> None:
  whole = [isinstance(side, int | np.integer) for side in np.ravel(size)]
  if np.shape(size) != (2,) or not all(whole):
    raise JaxlicError(f"a size is (H, W), got {size}; write images.shape[1:3]")


def _check_integers(name: str, coded: Any) -> None:
  held = coded.symbols if isinstance(coded, Coded) else coded
  if held is coded or not jnp.issubdtype(_dtype(held), jnp.integer):
    raise JaxlicError(
      f"symbols are Coded of integers, {name} has {inputs.told(held)}; give "
      "those of quantize or pop"
    )


def _dtype(array: Any) -> Any:
  """That of an array; of what is none, that of objects."""
  return getattr(array, "dtype", np.dtype(object))
