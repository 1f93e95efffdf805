"""What lies around a position and is decoded before it.

Two orders of a latent's positions, and the masked convolution that reads the
neighbours which an order makes known:

| order | groups | neighbours |
|---|---|---|
| waves | x + 3 y: anti-diagonals | 12, the upper half of 5 x 5 |
| wide waves | x + 4 y | 24, the upper half of 7 x 7 |
| checkerboard | (x + y) mod 2 | 12, those of the other colour in 5 x 5 |

In raster order a position sees the two rows above it, two columns to the right
at most, and the two positions to its left. All of these have a smaller x + 3 y,
so that positions of one x + 3 y can be decoded at once: a grid of h x w takes
w + 3 (h - 1) steps instead of h w, and gives the same numbers.

References:
  van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel recurrent neural networks",
  2016, section 3.4 (masks; this is "A").
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018, section 3 (5 x 5 context).
  He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient learned
  image compression", 2021, section 3.
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

Taps = tuple[tuple[int, int], ...]


def window(side: int) -> Taps:
  """Returns the places of a window, (down, right) of its centre, with that."""
  reach = range(-(side // 2), side // 2 + 1)
  return tuple((down, right) for down in reach for right in reach)


def raster_taps(side: int) -> Taps:
  """Returns what comes before a position, row by row, in its window."""
  return tuple(tap for tap in window(side) if tap < (0, 0))


RASTER_TAPS = raster_taps(5)
CHECKERBOARD_TAPS = tuple((i, j) for i, j in window(5) if (i + j) % 2)


def waves(grid: tuple[int, int], side: int = 5) -> Int[np.ndarray, "h w"]:
  """Returns the groups of raster order, decoded as anti-diagonals.

  Each sees the `raster_taps` of a window of that side.
  """
  rows, columns = np.indices(grid)
  # Grids narrower than the window leave some diagonals empty.
  diagonals = columns + (side // 2 + 1) * rows
  groups = np.unique(diagonals, return_inverse=True)[1]
  return groups.reshape(grid).astype(np.int32)


def checkerboard(grid: tuple[int, int]) -> Int[np.ndarray, "h w"]:
  """Returns the groups of the checkerboard: 0 where x + y is even, else 1."""
  rows, columns = np.indices(grid)
  return ((rows + columns) % 2).astype(np.int32)


def unless_first(
  context: Float[Array, "b h w c"], groups: Int[Array, "h w"]
) -> Float[Array, "b h w c"]:
  """Returns the context with zeros where nothing can be known yet."""
  return jnp.where(groups[:, :, None] > 0, context, 0)


class MaskedConv(nn.Module):
  """A convolution that reads the `taps` only, of gathered neighbours.

  The parameter is the whole kernel [side, side, in, out], as other frameworks
  hold it; what lies under the mask is never read, and its gradient is 0.
  """

  features: int
  taps: Taps
  dtype: DTypeLike = jnp.float32
  side: int = 5

  @nn.compact
  def __call__(self, x: Float[Array, "b h w t c"]) -> Float[Array, "b h w d"]:
    kernel = self.param(
      "kernel",
      nn.initializers.lecun_normal(),
      (self.side, self.side, x.shape[-1], self.features),
    )
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    rows, columns = np.array(self.taps).T + self.side // 2
    live = kernel[rows, columns].reshape(-1, self.features)
    x = x.reshape(*x.shape[:3], -1).astype(self.dtype)
    bias = bias.astype(self.dtype)[None, None, None]
    return x @ live.astype(self.dtype) + bias
