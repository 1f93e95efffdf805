"""How a latent is divided among the stages that code it.

Groups of channels follow each other, and some take two passes over a
checkerboard of sites.

References:
  He et al., "Checkerboard context model for efficient learned image
  compression", 2021. Minnen, Singh, "Channel-wise autoregressive entropy models
  for learned image compression", 2020.
"""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.nn import convolutions
from jaxlic.types import StageSpec


@dataclasses.dataclass(frozen=True)
class Part:
  """Latent channels start..stop that one stage codes, at all sites or half.

  Checkerboard halves are coded as cells of 2x2 sites: those of equal parity
  (pass 0), then the others (pass 1), two per cell. A grid of odd size is
  extended by zeros.
  """

  name: str
  start: int
  stop: int
  known: int  # channels known before, those of pass 0 included
  half: int | None  # the checkerboard pass, None for all sites
  stride: int  # pixels of the image per site

  def spec(self) -> StageSpec:
    """The stage's name, stride and channels."""
    count = self.stop - self.start
    if self.half is None:
      return StageSpec(self.name, self.stride, count)
    return StageSpec(self.name, 2 * self.stride, 2 * count)

  def take(self, y: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Returns this part of all latents."""
    return self.pick(y[..., self.start : self.stop])

  def pick(self, own: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Returns this part's sites of its own channels."""
    if self.half is None:
      return own
    odd = [(0, 0), (0, own.shape[1] % 2), (0, own.shape[2] % 2), (0, 0)]
    cells = convolutions.space_to_depth(jnp.pad(own, odd), 2)
    c00, c01, c10, c11 = jnp.split(cells, 4, -1)
    pair = (c00, c11) if self.half == 0 else (c01, c10)
    return jnp.concatenate(pair, -1)

  def put(
    self, coded: Float[Array, "b i j d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    """Inverse of `pick`; the other half's sites are 0."""
    if self.half is None:
      return coded
    a, d = jnp.split(coded, 2, -1)
    gap = jnp.zeros_like(a)
    cells = (a, gap, gap, d) if self.half == 0 else (gap, a, d, gap)
    own = convolutions.depth_to_space(jnp.concatenate(cells, -1), 2)
    return own[:, : grid[0], : grid[1]]


def split(groups: tuple[int, ...], *, two_pass: int, stride: int) -> list[Part]:
  """Returns the parts of `groups` of channels, in coding order.

  The first `two_pass` groups take two checkerboard passes each.
  """
  parts, start = [], 0
  for g, count in enumerate(groups):
    stop = start + count
    if g < two_pass:
      parts.append(Part(f"y{g}a", start, stop, start, 0, stride))
      parts.append(Part(f"y{g}b", start, stop, stop, 1, stride))
    else:
      parts.append(Part(f"y{g}", start, stop, start, None, stride))
    start = stop
  return parts
