"""How a latent is divided among the stages that code it.

Groups of channels follow each other, and some take two passes over a
checkerboard of sites.

There are two ways to a checkerboard. A pass here is a stage of its own: any
network predicts it, from all that is known around, at every site, of which the
pass picks its half. A stage with an `Order` (see types.py) is refined position
by position, by what a mask leaves of its neighbours, which raster order needs,
and computes each position once. Both stay: they train differently, and files of
one are not files of the other.

References:
  He et al., "Checkerboard context model for efficient learned image
  compression", 2021. Minnen, Singh, "Channel-wise autoregressive entropy models
  for learned image compression", 2020.
"""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.nn import convolutions
from jaxlic.types import Context, Grid, Params, StageSpec


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
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

  @property
  def channels(self) -> slice:
    """Of all channels of y."""
    return slice(self.start, self.stop)

  def spec(self) -> StageSpec:
    """The stage's name, stride and channels."""
    count = self.stop - self.start
    if self.half is None:
      return StageSpec(self.name, self.stride, count)
    return StageSpec(self.name, 2 * self.stride, 2 * count)

  def take(self, y: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Returns this group of all latents."""
    return self.pick(y[..., self.channels])

  def pick(self, y: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
    """Returns this group's sites, of its channels alone."""
    if self.half is None:
      return y
    odd = [(0, 0), (0, y.shape[1] % 2), (0, y.shape[2] % 2), (0, 0)]
    cells = convolutions.space_to_depth(jnp.pad(y, odd), 2)
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
    whole = convolutions.depth_to_space(jnp.concatenate(cells, -1), 2)
    return whole[:, : grid[0], : grid[1]]

  def absorb(
    self, params: Params, context: Context, y_hat: Array, grid: Grid
  ) -> Context:
    """Adds the group to the channels known so far, `context["y"]`."""
    return context | {"y": self.join(context["y"], self.put(y_hat, grid))}

  def join(
    self, known: Float[Array, "b h w k"], y: Float[Array, "b h w c"]
  ) -> Float[Array, "b h w d"]:
    """Returns all channels known after this group, whose sites are `y`."""
    if self.known > self.start:  # The second pass fills the gaps of the first.
      y = known[..., self.channels] + y
      known = known[..., : self.start]
    return jnp.concatenate([known, y], -1)


def split(
  groups: tuple[int, ...], *, two_pass: int, stride: int
) -> list[ChannelGroup]:
  """Returns `groups` of channels, in coding order; a pass is one of its own.

  The first `two_pass` groups take two checkerboard passes each.
  """
  passes, start = [], 0
  for g, count in enumerate(groups):
    stop = start + count
    if g < two_pass:
      passes.append(ChannelGroup(f"y{g}a", start, stop, start, 0, stride))
      passes.append(ChannelGroup(f"y{g}b", start, stop, stop, 1, stride))
    else:
      passes.append(ChannelGroup(f"y{g}", start, stop, start, None, stride))
    start = stop
  return passes


def whole(channels: int, stride: int) -> ChannelGroup:
  """Returns y in one group of its name."""
  return ChannelGroup("y", 0, channels, 0, None, stride)
