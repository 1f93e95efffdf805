"""The 5x5 convolutions of stride 2, down and up, with gradients for CPUs.

Each is the other's transpose, so each hands its gradient to the other:

    y = down(x, k)    dx = up(dy, k')      dk = taps(x, dy)
    y = up(x, k)      dx = down(dy, k')    dk = taps(dy, x)'

where k' is the kernel turned by half a circle, inputs and outputs swapped, and
`taps(fine, coarse)` correlates two maps at the 25 offsets of the kernel.

What XLA's own gradients cost on one core of a Zen 4, batch 8, float32, in ms:

| gradient of | | XLA | here |
|---|---|---:|---:|
| down 128 -> 128, from 128x128 | x | 579 | 343 |
| | kernel | 470 | 335 |
| down 3 -> 128, from 256x256 | kernel | 215 | 67 |
| up 128 -> 3, to 256x256 | x | 179 | 61 |
| | kernel | 326 | 67 |

Most of the difference is memory: what a dilated convolution or a batch moved to
the end allocates is mapped anew at each call. Inside `scan`, XLA compiles none
of this well on CPUs, a convolution there can take 50 times as long.
"""

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from jaxlic.nn import transposes

LAYOUT = ("NHWC", "HWIO", "NHWC")
MOST_TURNS = 32

Fine = Float[Array, "b H W f"]
Coarse = Float[Array, "b h w c"]


@jax.custom_jvp
def down_convolve(x: Fine, kernel: Float[Array, "5 5 f c"]) -> Coarse:
  """Returns the convolution padded by 2: half the size, rounded up."""
  return _down(x, kernel)


@jax.custom_jvp
def up_convolve(x: Coarse, kernel: Float[Array, "5 5 c f"]) -> Fine:
  """Returns the transposed convolution, as four ordinary ones.

  Output pixel (2m + p, 2n + q) meets the taps of one parity only, a kernel of
  3 or 2 taps a side: 25 in all, where one 3x3 sub-pixel kernel computes 36.
  """
  return _up(x, kernel)


def taps(fine: Fine, coarse: Coarse) -> Float[Array, "5 5 f c"]:
  """Returns the kernel's gradient of `(down_convolve(fine, k) * coarse).sum()`.

  One image at a time: XLA makes all of them one convolution with the batch as
  its channels, for which it first moves the batch of both maps to the end. Of
  large batches several at a time, since the program grows with the turns.
  """
  kernel = jax.ShapeDtypeStruct(
    (5, 5, fine.shape[-1], coarse.shape[-1]), fine.dtype
  )

  def of_images(fine, coarse):
    gradient = jax.linear_transpose(lambda k: _down(fine, k), kernel)
    return gradient(coarse)[0].astype(jnp.float32)

  size = -(-len(fine) // MOST_TURNS)
  turns = [slice(i, i + size) for i in range(0, len(fine), size)]
  return sum(of_images(fine[i], coarse[i]) for i in turns).astype(fine.dtype)


def _down(x, kernel):
  return _convolve(x, kernel, 2, ((2, 2), (2, 2)))


def _up(x, kernel):
  def phase(p, q):
    return _convolve(x, kernel[p::2, q::2], 1, ((1 - p, 1), (1 - q, 1)))

  rows = [jnp.stack([phase(p, 0), phase(p, 1)], 3) for p in (0, 1)]
  b, h, w, _ = x.shape
  return jnp.stack(rows, 2).reshape(b, 2 * h, 2 * w, kernel.shape[-1])


def _convolve(x, kernel, stride, padding):
  return jax.lax.conv_general_dilated(
    x, kernel, (stride, stride), padding, dimension_numbers=LAYOUT
  )


def _transpose(kernel):
  return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


def _jvp(convolve, to_x, to_kernel):
  """The rule of a convolution, whose two transposes are given for CPUs."""

  def rule(primals, tangents):
    (x, kernel), (dx, dk) = primals, tangents
    moved = []
    if type(dx) is not SymbolicZero:
      moved.append(_linear(lambda k, x: convolve(x, k), to_x, kernel, dx))
    if type(dk) is not SymbolicZero:
      moved.append(_linear(convolve, to_kernel, x, dk))
    return convolve(x, kernel), sum(moved[1:], moved[0])

  return rule


def _linear(fun, on_cpu, held, tangent):
  """`fun(held, tangent)`; where it is pulled back, by `on_cpu` on CPUs."""
  like = jax.ShapeDtypeStruct(tangent.shape, tangent.dtype)

  def native(held, g):
    return jax.linear_transpose(functools.partial(fun, held), like)(g)[0]

  def transpose(held, g):
    cpu = functools.partial(on_cpu, like=like)
    return jax.lax.platform_dependent(held, g, cpu=cpu, default=native)

  return transposes.linear_call(fun, transpose, (held,), tangent)


def _down_to_x(kernel, g, like):
  _, height, width, _ = like.shape
  return _up(g, _transpose(kernel))[:, :height, :width]


def _up_to_x(kernel, g, like):
  return _down(g, _transpose(kernel))


def _down_to_kernel(x, g, like):
  return taps(x, g)


def _up_to_kernel(x, g, like):
  return _transpose(taps(g, x))


down_convolve.defjvp(
  _jvp(_down, _down_to_x, _down_to_kernel), symbolic_zeros=True
)
up_convolve.defjvp(_jvp(_up, _up_to_x, _up_to_kernel), symbolic_zeros=True)
