"""`make`: an entropy model's functions, from its density."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.entropy import arrays, kinds, payloads, quantization
from jaxlic.entropy.kinds import Kind
from jaxlic.entropy.model import EntropyModel, Frozen
from jaxlic.errors import JaxlicError
from jaxlic.types import Known, Params


def make(kind: Kind, coder: str) -> EntropyModel:
  """Returns the entropy model of a kind.

  Raises:
    JaxlicError: If there is no such coder.
  """
  module = payloads.coder_of(coder)
  density = kind.density
  # One program for both sides: another might round some rows otherwise.
  density = density._replace(
    rows=jax.jit(density.rows),
    near_edge=density.near_edge and jax.jit(density.near_edge),
  )
  kind = kind._replace(density=density)
  return EntropyModel(
    init=kind.init,
    bits=_exact(_of(_bits, kind)),
    quantize=_quantize(kind),
    freeze=_moving(_exact(_of(_freeze, kind))),
    compress=_moving(_of(_compress, kind, module)),
    decompress=_moving(_of(_decompress, kind, module)),
  )


def _of(function: Callable, *arguments: Any) -> Callable:
  """The function of its other arguments, with its docstring for users."""
  rest = functools.partial(function, *arguments)
  rest.__doc__ = function.__doc__
  return rest


def _exact(function: Callable) -> Callable:
  """Accelerators multiply in lower precision unless they are told not to."""
  return jax.default_matmul_precision("highest")(function)


def _moving(function: Callable) -> Callable:
  """The function, which moves arrays whatever JAX_TRANSFER_GUARD says."""

  @functools.wraps(function)
  def moving(*arguments, **keywords):
    with jax.transfer_guard("allow"):
      return function(*arguments, **keywords)

  return moving


def _bits(
  kind: Kind, params: Params, y: Any, **prediction: Any
) -> Float[Array, "*positions c"]:
  """Returns the bits of every element, those of the unit bin around it.

  Raises:
    JaxlicError: If arrays are missing, or of other shapes.
  """
  y = arrays.floats("y", y)
  kinds.check_params(kind, params)
  known = _known(kind, y.shape, _median(params), prediction)
  cost = kind.density.bits(
    {kinds.NAME: params}, arrays.lifted(y, y.shape), known
  )
  return cost.reshape(y.shape)


def _freeze(kind: Kind, params: Params) -> Frozen:
  """Returns the integer tables, to keep with the parameters.

  Raises:
    JaxlicError: If a channel's density is too wide for a table.
  """
  kinds.check_params(kind, params)
  arrays.on_host("freeze", params)
  median = _median(params)
  return Frozen(
    kind.density.freeze({kinds.NAME: params}),
    None if median is None else np.asarray(median),
  )


def _compress(
  kind: Kind, coder: ModuleType, frozen: Any, y: Any, **prediction: Any
) -> bytes:
  """Returns the bytes of y, rounded.

  Raises:
    JaxlicError: If arrays are missing, traced, too large or of other shapes,
      values are not finite, a prediction is NaN, or tables are of another
      model.
  """
  arrays.on_host("compress", {"y": y} | prediction)
  kinds.check_tables(kind, frozen)
  y = arrays.floats("y", y)
  shape = arrays.size_of(y.shape)
  known = _known(kind, shape, frozen.median, prediction)
  means = _means(kind, known, shape)
  symbols = np.asarray(_quantize(kind)(y, "symbols", means=means))
  _check_values(y, means, symbols)
  _check_prediction(prediction)
  near_edge = kind.density.near_edge
  return payloads.pack(
    coder,
    frozen.tables,
    symbols,
    _listed(kind.density.rows(known)),
    _listed(near_edge(known)) if near_edge else None,
  )


def _decompress(
  kind: Kind,
  coder: ModuleType,
  frozen: Any,
  data: Any,
  shape: Any = None,
  **prediction: Any,
) -> Float[Array, "*positions c"]:
  """Returns y as "dequantize" gives it, float32.

  Tables and prediction are those that `compress` had, the data what it
  returned. The shape is y's; where there are scales, they tell it.

  Raises:
    JaxlicError: As `compress`, or if the data are damaged or of other tables,
      scales, shape or coder. Other means of equal scales are not told.
  """
  arrays.on_host("decompress", prediction)
  kinds.check_tables(kind, frozen)
  shape = arrays.size_of(_shape(kind, shape, prediction))
  known = _known(kind, shape, frozen.median, prediction)
  symbols = payloads.unpack(
    coder,
    frozen.tables,
    data,
    _listed(kind.density.rows(known)),
    shape,
    corrected=kind.density.near_edge is not None,
  )
  y_hat = jnp.asarray(symbols, jnp.float32)
  means = _means(kind, known, shape)
  return y_hat if means is None else y_hat + means


def _quantize(kind: Kind) -> Callable:
  return quantization.around_means if kind.around_means else quantization.plain


def _median(params: Params) -> Array | None:
  """The channels' medians, which no gradient changes."""
  if "median" not in params:
    return None
  return jax.lax.stop_gradient(jnp.asarray(params["median"], jnp.float32))


def _known(
  kind: Kind, shape: arrays.Shape, median: Any, prediction: dict[str, Any]
) -> Known:
  kinds.check_prediction(kind, shape, prediction)
  return kind.known(shape, median, **prediction)


def _shape(kind: Kind, shape: Any, prediction: dict[str, Any]) -> Any:
  """The shape of y, from its scales if it is not given."""
  scales = prediction.get("scales")
  if shape is not None or scales is None:
    return shape
  whole = arrays.floats("scales", scales).shape
  return whole[: len(whole) - kind.extra_axes]


def _means(kind: Kind, known: Known, shape: arrays.Shape) -> Array | None:
  """What symbols are relative to; None: to nothing."""
  return known.mean.reshape(shape) if kind.around_means else None


def _listed(array: Array) -> np.ndarray:
  """From [1 1 n c ...] to [m ...]."""
  return np.asarray(array).reshape(-1, *array.shape[4:])


def _check_prediction(prediction: dict[str, Any]) -> None:
  for name, array in prediction.items():
    # The logit of what has no weight may be -inf.
    count = 0 if array is None else np.isnan(array).sum()
    if count:
      raise JaxlicError(
        f"{name} are numbers, got {count} that are NaN; mend what predicts them"
      )


def _check_values(y: Array, means: Array | None, symbols: np.ndarray) -> None:
  finite = np.isfinite(y).all() and (means is None or np.isfinite(means).all())
  ends = np.iinfo(np.int32)
  # Floats beyond int32 become its ends.
  inside = not symbols.size or (
    symbols.min() > ends.min and symbols.max() < ends.max
  )
  if not (finite and inside):
    raise JaxlicError(
      "what is coded is finite, and within +-2**31 of its means, got values "
      f"from {np.min(y)} to {np.max(y)}; clip them"
    )
