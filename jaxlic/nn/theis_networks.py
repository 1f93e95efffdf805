"""The transforms of the compressive autoencoder, at stride 8.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 3.1; see models/theis2017.py.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import bounds, convolutions

# Of ImageNet's photographs: mean and standard deviation of R, G, B in 0..1.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = 3  # residual blocks of each transform
SLOPE = 0.01  # of the rectifiers, for x < 0
# Pixels mirrored before the first row or column, and after the last: for valid
# convolutions only, for those of stride 2 among others, and for none.
MARGINS = {"mirror": (34, 35), "strided": (10, 11), "zero": (0, 0)}


class Analysis(nn.Module):
  """From the image to y, at stride 8."""

  width: int
  latent: int
  padding: str = "mirror"
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 3"]) -> Float[Array, "b h w c"]:
    x = (x - _colours(MEAN)) / _colours(DEVIATION)
    x = mirrored(x, MARGINS[self.padding])
    x = self._down(x, self.width // 2, "conv0", dtype=self.dtype)
    x = self._down(leaky_relu(x), self.width, "conv1", dtype=self.dtype)
    for k in range(BLOCKS):
      valid = self.padding == "mirror"
      x = Block(k == 0, valid, self.dtype, name=f"block{k}")(x)
    return self._down(x, self.latent, "conv")

  def _down(self, x: Array, features: int, name: str, **kwargs) -> Array:
    """A convolution of stride 2; a valid one lacks the padded one's margin."""
    x = convolutions.conv(features, 5, 2, name=name, **kwargs)(x)
    return x if self.padding == "zero" else x[:, 1:-1, 1:-1]


class Synthesis(nn.Module):
  """From y to the image."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b H W 3"]:
    up = functools.partial(convolutions.SubpixelConv, dtype=self.dtype)
    x = up(self.width, name="conv0")(x)
    for k in range(BLOCKS):
      x = Block(dtype=self.dtype, name=f"block{k}")(x)
    x = leaky_relu(up(self.width // 2, name="conv1")(x))
    x = convolutions.SubpixelConv(3, name="conv2")(x)
    return bounds.clip(x * _colours(DEVIATION) + _colours(MEAN), 0.0, 1.0)


class Block(nn.Module):
  """x + conv(leaky(conv(x))), all of x's width.

  If `rectified`, what enters the first convolution is leaky(x). Valid
  convolutions shrink x by 2 positions on every side.
  """

  rectified: bool = False
  valid: bool = False
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b u v c"]:
    conv = functools.partial(
      nn.Conv,
      x.shape[-1],
      (3, 3),
      padding="VALID" if self.valid else 1,
      dtype=self.dtype,
    )
    inner = leaky_relu(x) if self.rectified else x
    inner = conv(name="conv1")(leaky_relu(conv(name="conv0")(inner)))
    x = x[:, 2:-2, 2:-2] if self.valid else x
    return x + inner.astype(x.dtype)


def leaky_relu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
  """Returns x where positive, else SLOPE times x."""
  return jax.nn.leaky_relu(x, SLOPE)


def mirrored(
  x: Float[Array, "b H W c"], margin: tuple[int, int]
) -> Float[Array, "b _H _W c"]:
  """Returns images mirrored at their first and last rows and columns.

  As often as it takes, where `margin` is more than an image has.
  """
  for axis in (1, 2):
    side = x.shape[axis]
    period = max(2 * (side - 1), 1)
    place = np.arange(-margin[0], side + margin[1]) % period
    x = jnp.take(x, np.minimum(place, period - place), axis)
  return x


def _colours(values: tuple[float, ...]) -> Float[Array, "1 1 1 3"]:
  return jnp.asarray(values, jnp.float32)[None, None, None]
