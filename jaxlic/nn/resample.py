"""Changing resolution: convolutions with explicit padding, sub-pixel forms.

XLA's CPU backend is slow at dilated (transposed) convolutions and pathological
at their weight gradient, so up-sampling is always made of ordinary convolutions
to `r * r` times the channels, then a depth-to-space.
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
  2, output padding 1).
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
    return up_convolve(x, kernel) + bias


def up_convolve(
  x: Float[Array, "b h w i"], kernel: Float[Array, "5 5 i o"]
) -> Float[Array, "b H W o"]:
  """Returns the transposed convolution, as four ordinary ones.

  Output pixel (2m + p, 2n + q) meets the taps of one parity only, a kernel of
  3 or 2 taps a side: 25 in all, where one 3x3 sub-pixel kernel computes 36.
  """

  def phase(p, q):
    return jax.lax.conv_general_dilated(
      x,
      kernel[p::2, q::2],
      (1, 1),
      ((1 - p, 1), (1 - q, 1)),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )

  phases = [phase(p, q) for p in (0, 1) for q in (0, 1)]
  return depth_to_space(jnp.concatenate(phases, -1), 2)
