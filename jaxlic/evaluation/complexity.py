"""How large and how slow a model is, without running it.

Multiply-accumulates (MAC) are counted in the traced program: those of its
convolutions and matrix products, which is what is executed. Zeros that a kernel
holds by construction count too: a transposed 5x5 convolution of stride 2, as 25
of the 36 taps of a sub-pixel one, is published with 25/36 of this count.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxlic import codec
from jaxlic.codec import ordered
from jaxlic.types import Model

HEIGHT, WIDTH = 512, 768  # the image that is counted, a Kodak photograph's


class Complexity(NamedTuple):
  """What a model costs."""

  parameters: int
  encode_kmac: float  # thousands of MAC per pixel of the image
  decode_kmac: float  # likewise


def measure(model: Model) -> Complexity:
  """Returns a model's complexity for one image; allocates no parameters."""
  params = jax.eval_shape(lambda: model.init(jax.random.key(0)))
  sides = (n * model.spec.stride for n in _grid(model))
  image = jax.ShapeDtypeStruct((1, *sides, model.spec.inputs), jnp.float32)
  rate = jax.ShapeDtypeStruct((1,), jnp.float32)
  leaves = jax.tree.leaves(params)
  per_kilopixel = 1 / (1000 * HEIGHT * WIDTH)
  return Complexity(
    sum(math.prod(leaf.shape) for leaf in leaves),
    count_macs(_encoder(model), params, image, rate) * per_kilopixel,
    count_macs(_decoder(model), params, rate) * per_kilopixel,
  )


def count_macs(function: Callable, *arguments: Any) -> int:
  """Returns the multiply-accumulates of one call.

  A loop counts its body as often as it runs where that is known (`scan`), else
  once; of the branches of a condition the largest counts.

  Args:
    function: What to trace.
    *arguments: Arrays, or their shapes as `jax.ShapeDtypeStruct`.
  """
  return _count(jax.make_jaxpr(function)(*arguments).jaxpr)


def _encoder(model: Model) -> Callable:
  """Everything that an encoder computes before the coder."""
  grid = _grid(model)

  def walk(params, image, rate):
    latents = codec.analyze(model, params, image, rate)
    context = {"rate": rate}
    for stage in model.stages:
      latent = latents[stage.spec.name]
      prediction = ordered.predict(stage, params, context, grid)
      symbols = stage.quantizer.to_symbols(latent, prediction)
      if stage is not model.stages[-1]:
        y_hat = stage.quantizer.from_symbols(symbols, prediction)
        context = stage.absorb(params, context, y_hat, grid)
    return symbols

  return walk


def _decoder(model: Model) -> Callable:
  """Everything that a decoder computes, of symbols that are 0."""
  grid = _grid(model)

  def walk(params, rate):
    context = {"rate": rate}
    for stage in model.stages:
      prediction = ordered.predict(stage, params, context, grid)
      rows = stage.density.rows(prediction)
      latent = jnp.zeros((*rows.shape[:3], stage.spec.channels))
      like = jax.eval_shape(stage.quantizer.to_symbols, latent, prediction)
      symbols = jnp.zeros(like.shape, like.dtype)
      y_hat = stage.quantizer.from_symbols(symbols, prediction)
      context = stage.absorb(params, context, y_hat, grid)
    return model.synthesize(params, context)

  return walk


def _grid(model: Model) -> tuple[int, int]:
  stride = model.spec.stride
  return -(-HEIGHT // stride), -(-WIDTH // stride)


def _count(jaxpr: Any) -> int:
  total = 0
  for equation in jaxpr.eqns:
    name = equation.primitive.name
    if name in _COUNTERS:
      total += _COUNTERS[name](equation)
      continue
    inner = [_count(sub) for sub in _inner(equation.params)]
    times = equation.params["length"] if name == "scan" else 1
    total += max(inner, default=0) if name == "cond" else times * sum(inner)
  return total


def _inner(parameters: dict[str, Any]) -> list[Any]:
  """The programs that an operation calls."""
  values = []
  for value in parameters.values():
    values += value if isinstance(value, tuple | list) else [value]
  closed = [v.jaxpr for v in values if isinstance(v, core.ClosedJaxpr)]
  return closed + [v for v in values if isinstance(v, core.Jaxpr)]


def _convolution(equation: Any) -> int:
  """Taps of padding count, gaps of a dilated input do not."""
  kernel = equation.invars[1].aval.shape
  outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
  taps = math.prod(kernel) // outputs
  dilation = math.prod(equation.params["lhs_dilation"])
  return math.prod(equation.outvars[0].aval.shape) * taps // dilation


def _product(equation: Any) -> int:
  (contracted, _), _ = equation.params["dimension_numbers"]
  shape = equation.invars[0].aval.shape
  depth = math.prod(shape[axis] for axis in contracted)
  return math.prod(equation.outvars[0].aval.shape) * depth


_COUNTERS = {"conv_general_dilated": _convolution, "dot_general": _product}
