"""Bottleneck residual blocks, and the attention that is made of them.

    Bottleneck   x + conv1(relu(conv3(relu(conv1(x))))), inside half as wide
    Attention    x + a(x) * sigmoid(conv1(b(x)))

with a and b chains of three bottlenecks, each with a ReLU after it. The mask
`sigmoid(...)` says where and in which channels the branch a counts.

References:
  He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016,
  section 4 (bottlenecks). Differs in that the sum is not rectified.
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020 (the attention).
  Begaint et al., "CompressAI", 2020, layers/layers.py, models/sensetime.py
  (order of layers and widths).
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic.nn import convolutions

UNITS = 3  # bottlenecks in each branch of the attention


class Bottleneck(nn.Module):
  """A residual block that narrows to half of the smaller of its widths."""

  features: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    narrow = min(x.shape[-1], self.features) // 2
    inner = nn.relu(conv(narrow, 1, name="conv0")(x))
    inner = nn.relu(conv(narrow, 3, name="conv1")(inner))
    inner = conv(self.features, 1, name="conv2")(inner)
    if x.shape[-1] != self.features:
      x = conv(self.features, 1, name="skip")(x)
    return x + inner.astype(x.dtype)


class Attention(nn.Module):
  """Adds to x what one branch finds, where another branch lets it pass."""

  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    features = x.shape[-1]
    a = b = x
    for k in range(UNITS):
      a = nn.relu(Bottleneck(features, self.dtype, name=f"a{k}")(a))
      b = nn.relu(Bottleneck(features, self.dtype, name=f"b{k}")(b))
    mask = convolutions.conv(features, 1, dtype=self.dtype, name="mask")(b)
    return x + a * nn.sigmoid(mask).astype(a.dtype)
