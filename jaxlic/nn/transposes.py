"""Linear maps that forward mode takes as they are, and reverse mode otherwise.

Reverse mode transposes the linear map of a derivative. Where another function
shall stand for the transpose, because it is faster, or leads descent back
inside a bound, JAX has `custom_vjp`, which forward mode refuses, and
`linear_call`, which `vmap` refuses. `linear_call` here takes all of them:

    jvp         fun(*residuals, tangent)
    vjp         transpose(*residuals, cotangent)
    vmap        both, mapped
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array


def linear_call(
  fun: Callable[..., Array],
  transpose: Callable[..., Array],
  residuals: tuple[Array, ...],
  x: Array,
) -> Array:
  """Returns `fun(*residuals, x)`, which reverse mode pulls back by `transpose`.

  Args:
    fun: Linear in its last argument, from arrays to an array.
    transpose: From the residuals and an array like fun's to one like x; need
      not be linear.
    residuals: What both know besides.
    x: The argument in which `fun` is linear.
  """
  return _linear_p.bind(*residuals, x, fun=fun, transpose=transpose)


_linear_p = core.Primitive("jaxlic_linear")


def _run(*args, fun, transpose):
  return fun(*args)


def _result(*args, fun, transpose):
  return jax.make_jaxpr(fun)(*args).out_avals[0]


def _jvp(primals, tangents, *, fun, transpose):
  """That of x, by the same map; those of residuals, as JAX derives them."""
  *residuals, x = primals
  *around, along = tangents
  call = functools.partial(linear_call, fun, transpose, tuple(residuals))
  moved = [] if type(along) is ad.Zero else [call(along)]
  where = [k for k, t in enumerate(around) if type(t) is not ad.Zero]
  if where:

    def of_residuals(*changed):
      held = dict(zip(where, changed, strict=True))
      return fun(*(held.get(k, r) for k, r in enumerate(residuals)), x)

    values, changes = ([a[k] for k in where] for a in (residuals, around))
    moved.append(jax.jvp(of_residuals, values, changes)[1])
  # One of both is moved, or JAX would not ask.
  return call(x), sum(moved[1:], moved[0])


def _transposed(cotangent, *args, fun, transpose):
  *residuals, x = args
  if type(cotangent) is ad.Zero:
    return [None] * len(residuals) + [ad.Zero(x.aval)]
  pulled = transpose(*residuals, cotangent)
  return [None] * len(residuals) + [pulled]


def _batched(args, dims, *, fun, transpose):
  """Mapped over the first axis of what is mapped; x always is."""
  pairs = list(zip(args, dims, strict=True))
  size = next(a.shape[d] for a, d in pairs if d is not None)
  *residuals, x = (a if d is None else jnp.moveaxis(a, d, 0) for a, d in pairs)
  if dims[-1] is None:
    x = jnp.broadcast_to(x, (size, *x.shape))
  axes = (*(None if d is None else 0 for d in dims[:-1]), 0)
  mapped = jax.vmap(fun, axes), jax.vmap(transpose, axes)
  return linear_call(*mapped, tuple(residuals), x), 0


_linear_p.def_impl(_run)
_linear_p.def_abstract_eval(_result)
mlir.register_lowering(_linear_p, mlir.lower_fun(_run, multiple_results=False))
ad.primitive_jvps[_linear_p] = _jvp
ad.primitive_transposes[_linear_p] = _transposed
batching.primitive_batchers[_linear_p] = _batched
