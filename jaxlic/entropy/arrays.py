"""Arrays of users, checked with a line that says what to do.

Densities have arrays [b h w c], so that others are [1 1 n c] to them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.errors import JaxlicError

MAX_ELEMENTS = 2**28  # of one call
Shape = tuple[int, ...]


def floats(name: str, array: Any) -> Float[Array, "*positions c"]:
  """Returns an array as float32.

  Raises:
    JaxlicError: If it has no numbers, or no axis.
  """
  if not isinstance(array, (jax.Array, np.ndarray)) or array.ndim < 1:
    raise JaxlicError(
      f"{name} is an array [... c] of JAX or NumPy, got {_about(array)}; make "
      "it one with an axis for the channels"
    )
  if not jnp.issubdtype(array.dtype, np.floating) and array.dtype.kind not in (
    "iu"
  ):
    raise JaxlicError(
      f"{name} has real numbers, got {_about(array)}; convert it to float32"
    )
  return jnp.asarray(array, jnp.float32)


def of_shape(name: str, array: Any, shape: Shape) -> Float[Array, "*shape"]:
  """Returns an array as float32.

  Raises:
    JaxlicError: If it is not of that shape, of real numbers.
  """
  array = floats(name, array)
  if array.shape != shape:
    raise JaxlicError(
      f"{name} has the shape {list(shape)} here, by that of y, got "
      f"{list(array.shape)}; broadcast or slice it to it"
    )
  return array


def size_of(shape: Any) -> Shape:
  """Returns a shape that one call can code.

  Raises:
    JaxlicError: If it is none, or of too many elements.
  """
  if not isinstance(shape, (tuple, list)) or not all(
    isinstance(side, (int, np.integer)) and side >= 0 for side in shape
  ):
    raise JaxlicError(
      f"a shape is a tuple of integers from 0 up, got {shape!r}; give that of "
      "what was compressed"
    )
  shape = tuple(int(side) for side in shape)
  if not shape or math.prod(shape) > MAX_ELEMENTS:
    raise JaxlicError(
      f"one call codes an array [... c] of up to {MAX_ELEMENTS} elements, got "
      f"{list(shape)}; split it"
    )
  return shape


def lifted(array: Float[Array, "..."], shape: Shape) -> Float[Array, "..."]:
  """Returns [1 1 n c ...] of an array `shape` or [*shape ...]."""
  positions = math.prod(shape[:-1])
  return array.reshape(1, 1, positions, shape[-1], *array.shape[len(shape) :])


def on_host(name: str, arrays: dict[str, Any]) -> None:
  """Raises a JaxlicError for arrays that are traced."""
  for argument, array in arrays.items():
    if isinstance(array, jax.core.Tracer):
      raise JaxlicError(
        f"{name} makes bytes on the host, got a traced {argument}; call it "
        "outside of jit, vmap and grad"
      )


def _about(value: object) -> str:
  """The type and shape of what should be an array."""
  if isinstance(value, (jax.Array, np.ndarray)):
    return f"{value.dtype} {list(value.shape)}"
  return type(value).__name__
