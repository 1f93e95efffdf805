"""Changing resolution: convolutions with explicit padding, sub-pixel forms.

XLA's CPU backend is slow at dilated (transposed) convolutions and pathological
at their weight gradient, so up-sampling is always an ordinary convolution to
`r * r` times the channels, then a depth-to-space.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def space_to_depth(
  x: Float[Array, "b H W c"], factor: int
) -> Float[Array, "b h w d"]:
  """Moves blocks of `factor` x `factor` pixels into channels, (i, j, c) last.

  Raises:
    ValueError: If a side is not a multiple of `factor`.
  """
  b, height, width, c = x.shape
  if height % factor or width % factor:
    raise ValueError(f"sides are multiples of {factor}, got {x.shape}; pad")
  x = x.reshape(b, height // factor, factor, width // factor, factor, c)
  x = x.transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, height // factor, width // factor, -1)


def depth_to_space(
  x: Float[Array, "b h w d"], factor: int
) -> Float[Array, "b H W c"]:
  """Inverse of `space_to_depth`."""
  b, h, w, _ = x.shape
  x = x.reshape(b, h, w, factor, factor, -1).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(b, h * factor, w * factor, -1)


def conv(
  features: int, kernel: int, stride: int = 1, **kwargs: object
) -> nn.Conv:
  """Returns a square convolution padded by `kernel // 2` on every side.

  "SAME" would pad strided layers unevenly and differ from other frameworks.
  """
  return nn.Conv(
    features, (kernel, kernel), stride, padding=kernel // 2, **kwargs
  )


class UpConv(nn.Module):
  """A transposed 5x5 convolution of stride 2 that exactly doubles the size.

  The parameter is the transposed kernel [5, 5, in, out] (flipped HWIO, padding
  2, output padding 1); it is rearranged into a 3x3 sub-pixel convolution.
  """

  features: int

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W d"]:
    kernel = self.param(
      "kernel",
      nn.initializers.lecun_normal(),
      (5, 5, x.shape[-1], self.features),
    )
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    x = jax.lax.conv_general_dilated(
      x,
      subpixel_kernel(kernel),
      (1, 1),
      ((1, 1), (1, 1)),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return depth_to_space(x, 2) + bias


def subpixel_kernel(
  kernel: Float[Array, "5 5 i o"],
) -> Float[Array, "3 3 i p"]:
  """Returns the 3x3 kernel whose depth-to-space is the transposed 5x5 one.

  Output pixel (2m + a, 2n + b) of the transposed convolution meets the taps of
  one parity only, and those at offsets (a, b) form a 3x3 kernel of their own.
  """
  _, _, i, o = kernel.shape
  taps = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
  taps = taps.reshape(3, 2, 3, 2, i, o)
  phases = jnp.zeros((4, 4, i, 2, 2, o), kernel.dtype)
  for a in (0, 1):
    for b in (0, 1):
      phases = phases.at[a : a + 3, b : b + 3, :, a, b].set(taps[:, a, :, b])
  return phases[:3, :3].reshape(3, 3, i, 4 * o)
