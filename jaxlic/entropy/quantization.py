"""The three ways of rounding, by CompressAI's names.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, section 2 (noise in training, rounding in files).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlic.entropy import arrays
from jaxlic.errors import JaxlicError
from jaxlic.quantize import rounding, straight_through
from jaxlic.types import Prediction

MODES = ("noise", "dequantize", "symbols")


def around_means(
  y: Any, mode: str, *, means: Any = None, key: Any = None
) -> Array:
  """Returns `y` [... c], quantized.

  Args:
    y: The array.
    mode: "noise" for y plus noise on [-1/2, 1/2); "dequantize" for `round(y -
      means) + means`, float32, whose gradient is that of y; "symbols" for
      `round(y - means)`, int32. Halves go to even.
    means: Of y's shape; None is 0. Noise does not depend on it.
    key: Of the noise.

  Raises:
    JaxlicError: If there is no such mode, no key for noise, or shapes differ.
  """
  if mode not in MODES:
    raise JaxlicError(
      f"a mode is one of {', '.join(MODES)}, got {mode!r}; choose one of them"
    )
  y = arrays.floats("y", y)
  mean = jnp.zeros_like(y)
  if means is not None:
    mean = arrays.of_shape("means", means, y.shape)
  if mode == "noise":
    return y + _noise(key, y.shape)
  mean = arrays.lifted(mean, y.shape)
  known = Prediction(mean, mean)
  symbols = rounding.to_symbols(arrays.lifted(y, y.shape), known)
  if mode == "symbols":
    return symbols.reshape(y.shape)
  value = rounding.from_symbols(symbols, known).value
  return straight_through.straight(y, value.reshape(y.shape))


def plain(y: Any, mode: str, *, means: Any = None, key: Any = None) -> Array:
  """Returns `around_means` for models that have several means, or none.

  Raises:
    JaxlicError: As `around_means`, or if there are means.
  """
  if means is not None:
    raise JaxlicError(
      "a mixture has several means, its symbols are round(y), got means to "
      "round around; leave them out"
    )
  return around_means(y, mode, key=key)


def _noise(key: Any, shape: tuple[int, ...]) -> Array:
  if key is None:
    raise JaxlicError(
      "noise is drawn from a key, got None; give key=jax.random.key(0), or "
      "another one for every call"
    )
  return jax.random.uniform(key, shape) - 0.5
