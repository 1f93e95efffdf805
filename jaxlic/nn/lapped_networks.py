"""The convolutional networks of models/lapped.py.

The branches of analysis and synthesis, and the predictors, end in layers that
start at zero. Every network but the hyper synthesis is told the quality, as `t`
[b] in -1..1.

A branch's residual blocks are numbered through as far as lapped-1 has them, and
those beyond have names of their own: its weights fit a deeper branch, which
does the same at first, for new blocks start as identity.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxlic.nn import convolutions
from jaxlic.nn.residual import ResidualBlock, leaky_relu


class Analysis(nn.Module):
  """What the encoder adds to the linear coefficients, in their deviations."""

  channels: int
  widths: tuple[int, int]  # channels at strides 8, 16
  blocks: tuple[int, int]  # residual blocks there
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, image, coefficients, t):
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    fine, coarse = self.widths
    x = conv(fine, 1)(convolutions.space_to_depth(image, 8))
    x = Shift(fine, name="shift8")(x, t)
    x = _residual(x, (0, 1), self.blocks[0], "more8", self.dtype)
    x = convolutions.space_to_depth(x, 2)
    coefficients = coefficients.astype(x.dtype)
    x = conv(coarse, 1)(jnp.concatenate([x, coefficients], -1))
    x = Shift(coarse, name="shift16")(x, t)
    x = _residual(x, (1, 2), self.blocks[1], "more16", self.dtype)
    return convolutions.conv(
      self.channels, 1, kernel_init=nn.initializers.zeros, name="last"
    )(x)


class Synthesis(nn.Module):
  """What the decoder adds to the linear reconstruction."""

  widths: tuple[int, int, int]  # channels at strides 16, 8, 4
  blocks: tuple[int, int, int]  # residual blocks there
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, coefficients, linear, t):
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    coarse, fine, finest = self.widths
    x = conv(coarse, 3)(coefficients)
    x = Shift(coarse, name="shift16")(x, t)
    x = _residual(x, (0, 2), self.blocks[0], "more16", self.dtype)
    x = convolutions.depth_to_space(conv(4 * fine, 1)(x), 2)
    x = Shift(fine, name="shift8")(x, t)
    x = _residual(x, (2, 4), self.blocks[1], "more8", self.dtype)
    x = convolutions.depth_to_space(conv(4 * finest, 1)(x), 2)
    linear = convolutions.space_to_depth(linear, 4).astype(x.dtype)
    x = jnp.concatenate([x, linear], -1)
    x = Shift(finest, name="shift4")(conv(finest, 1)(x), t)
    x = _residual(x, (4, 7), self.blocks[2], "more4", self.dtype)
    x = convolutions.conv(
      48, 3, kernel_init=nn.initializers.zeros, name="last"
    )(x)
    return convolutions.depth_to_space(x, 4)


def _residual(x, numbers, count, more, dtype):
  """`count` residual blocks; the first have lapped-1's numbers."""
  names = [f"ResidualBlock_{k}" for k in range(*numbers)]
  names += [f"{more}_{k}" for k in range(count - len(names))]
  for name in names[:count]:
    x = ResidualBlock(dtype, name=name)(x)
  return x


class HyperAnalysis(nn.Module):
  """From coefficients at stride 16 to the hyper latent at stride 64."""

  width: int
  channels: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, coefficients, t):
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = conv(self.width, 1)(coefficients)
    x = leaky_relu(Shift(self.width, name="shift")(x, t))
    x = leaky_relu(conv(self.width, 3, 2)(x))
    return 2.0 * convolutions.conv(self.channels, 3, 2)(x)


class HyperSynthesis(nn.Module):
  """From the hyper latent to what every group's predictor sees."""

  width: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, z, grid):
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = conv(4 * self.width, 1)(0.5 * z)
    x = leaky_relu(convolutions.depth_to_space(x, 2))
    x = conv(2 * self.width, 3)(x)
    x = convolutions.depth_to_space(x, 2)[:, : grid[0], : grid[1]]
    x = leaky_relu(conv(self.width, 3)(leaky_relu(x)))
    return x.astype(jnp.float32)


class Predictor(nn.Module):
  """Mean (in deviations) and log scale of one group of channels."""

  width: int
  channels: int
  reach: int = 3  # sites a side that it sees
  layers: int = 1  # of one site, between the first and the last
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, known, t):
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    x = conv(self.width, self.reach)(known)
    x = leaky_relu(Shift(self.width, name="shift")(x, t))
    for _ in range(self.layers):
      x = leaky_relu(conv(self.width, 1)(x))
    return convolutions.conv(
      2 * self.channels, 1, kernel_init=nn.initializers.zeros, name="last"
    )(x)


class Shift(nn.Module):
  """Adds a bias that is quadratic in t; keeps x's type."""

  features: int

  @nn.compact
  def __call__(self, x, t):
    powers = jnp.stack([t, t * t], -1)
    weight = self.param("weight", nn.initializers.zeros, (2, self.features))
    return x + (powers @ weight)[:, None, None].astype(x.dtype)
