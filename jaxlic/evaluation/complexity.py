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
from jaxlic.codec import inputs
from jaxlic.types import Grid, Model, Quality

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
  image = jax.ShapeDtypeStruct((1, *sides, 3), jnp.float32)
  quality = Quality(jax.ShapeDtypeStruct((1,), jnp.float32))
  leaves = jax.tree.leaves(params)
  per_kilopixel = 1 / (1000 * HEIGHT * WIDTH)
  return Complexity(
    sum(math.prod(leaf.shape) for leaf in leaves),
    count_macs(_encoder(model), params, image, quality) * per_kilopixel,
    count_macs(_decoder(model), params, quality) * per_kilopixel,
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
  *before, last = model.stages

  def encode(params, image, quality):
    latents = codec.analyze(model, params, image, quality)

    def value_of(stage, predict):
      known = predict()
      symbols = stage.quantizer.to_symbols(latents[stage.spec.name], known)
      return stage.quantizer.from_symbols(symbols, known).value

    # Nothing follows on the symbols of the last stage.
    first = model._replace(stages=tuple(before))
    context = codec.begin(quality.level)
    context = codec.walk(first, params, context, _grid(model), value_of)
    known = codec.predictor(last, params, context, _grid(model))()
    return last.quantizer.to_symbols(latents[last.spec.name], known)

  return encode


def _decoder(model: Model) -> Callable:
  """Everything that a decoder computes, of symbols that are 0."""

  def value_of(stage, predict):
    known = predict()
    rows = stage.density.rows(known)
    positions = rows.shape[: 1 + stage.spec.axes]
    latent = jnp.zeros((*positions, stage.spec.channels))
    like = jax.eval_shape(stage.quantizer.to_symbols, latent, known)
    symbols = jnp.zeros(like.shape, like.dtype)
    return stage.quantizer.from_symbols(symbols, known).value

  def decode(params, quality):
    context = codec.begin(quality.level)
    context = codec.walk(model, params, context, _grid(model), value_of)
    return model.synthesize(params, context)

  return decode


def _grid(model: Model) -> Grid:
  return inputs.grid(model.spec, HEIGHT, WIDTH)


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
  # One test for both: they are a single type in newer versions of JAX.
  return [v for v in values if isinstance(v, core.ClosedJaxpr | core.Jaxpr)]


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
