"""Changing resolution: convolutions with explicit padding, sub-pixel forms.

XLA's CPU backend is slow at dilated (transposed) convolutions and pathological
at their weight gradient, so up-sampling is always made of ordinary convolutions
whose outputs are interleaved: of one to `r * r` times the channels, by a
depth-to-space, or of one for each parity of row and column.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import stride2_gradients


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
  features: int,
  kernel: int,
  stride: int = 1,
  *,
  dtype: DTypeLike = jnp.float32,
  **kwargs: object,
) -> nn.Conv:
  """Returns a square convolution padded by `kernel // 2` on every side.

  "SAME" would pad strided layers unevenly and differ from other frameworks.
  """
  if (kernel, stride) == (5, 2):
    kwargs["conv_general_dilated"] = _down_convolve
  return nn.Conv(
    features,
    (kernel, kernel),
    stride,
    padding=kernel // 2,
    dtype=dtype,
    **kwargs,
  )


def _down_convolve(x, kernel, *args, **kwargs):
  """`down_convolve` under the signature that `nn.Conv` calls."""
  return stride2_gradients.down_convolve(x, kernel)


class UpConv(nn.Module):
  """A transposed 5x5 convolution of stride 2 that exactly doubles the size.

  The parameter is the transposed kernel [5, 5, in, out] (flipped HWIO, padding
  2, output padding 1).
  """

  features: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W d"]:
    kernel = self.param(
      "kernel",
      nn.initializers.lecun_normal(),
      (5, 5, x.shape[-1], self.features),
    )
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    x, kernel, bias = (v.astype(self.dtype) for v in (x, kernel, bias))
    return stride2_gradients.up_convolve(x, kernel) + bias[None, None, None]


class SubpixelConv(nn.Module):
  """A 3x3 convolution to `factor**2` times the channels, moved into space.

  Channel `(i * factor + j) * features + c` of the convolution is feature c of
  the pixels whose row is i and whose column is j modulo `factor`, the order of
  `depth_to_space`.

  References:
    Shi et al., "Real-time single image and video super-resolution using an
    efficient sub-pixel convolutional neural network", 2016, section 3. Differs
    in the order of channels, which has the feature first there.
  """

  features: int
  factor: int = 2
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W d"]:
    wide = self.factor**2 * self.features
    x = conv(wide, 3, dtype=self.dtype, name="conv")(x)
    return depth_to_space(x, self.factor)
