"""Context models: what the latents around a position tell of it.

A context model refines the features that the hyper latent gives at every
position by a masked convolution over the neighbours decoded before, and three
1x1 convolutions of both ("entropy parameters").

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018, section 3 and table 1 (raster order).
  He, Zheng, Sun, Wang, Qin, "Checkerboard context model for efficient learned
  image compression", 2021: positions of the first colour are predicted from the
  hyper latent alone, with a context of zeros.
  Begaint et al., "CompressAI", 2020, models/google.py (widths).
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jaxlic.errors import JaxlicError
from jaxlic.models.parts.net import Init, Net
from jaxlic.nn import neighbours
from jaxlic.types import Grid, Known, Order, Params

ORDERS = {
  "raster": (neighbours.waves, neighbours.RASTER_TAPS),
  "checkerboard": (neighbours.checkerboard, neighbours.CHECKERBOARD_TAPS),
}
# From what a network says of a position to what is known of its latents.
Read = Callable[[Float[Array, "b h w o"]], Known]


class ContextModel(NamedTuple):
  """The parameters of a context model, and the order that it follows."""

  init: Init
  order: Order


def make(
  name: str, *, latent: int, outputs: int, read: Read, dtype: str
) -> ContextModel:
  """Returns the context model of an order, "raster" or "checkerboard".

  Args:
    name: The order.
    latent: Channels of y.
    outputs: Numbers per position that `read` turns into a prediction.
    read: From [b h w outputs] to the prediction.
    dtype: What it computes in, see nn/__init__.py.

  Raises:
    JaxlicError: If there is no such order.
  """
  if name not in ORDERS:
    raise JaxlicError(
      f"a context is one of {', '.join(ORDERS)}, got {name!r}; choose one"
    )
  groups, taps = ORDERS[name]
  network = Refinement(latent, outputs, taps, name == "checkerboard", dtype)
  return refined_by(network, latent, groups, taps, read)


def refined_by(
  network: nn.Module,
  latent: int,
  groups: Callable[[Grid], np.ndarray],
  taps: neighbours.Taps,
  read: Read,
) -> ContextModel:
  """Returns the context model of a network, `params["context"]`.

  Args:
    network: From features [b h w 2c], neighbours [b h w t c] and groups [h w]
      to what `read` turns into a prediction.
    latent: Channels c of y.
    groups: See `Order`.
    taps: See `Order`.
    read: From [b h w o] to the prediction.
  """
  net = Net(
    "context",
    network,
    (
      (1, 1, 1, 2 * latent),
      (1, 1, 1, len(taps), latent),
      jax.ShapeDtypeStruct((1, 1), jnp.int32),
    ),
  )

  def refine(params: Params, features, around, groups) -> Known:
    return read(net(params, features, around, groups))

  return ContextModel(net.init, Order(groups, taps, refine))


class Refinement(nn.Module):
  """From features and neighbours to the numbers of a prediction."""

  latent: int
  outputs: int
  taps: tuple[tuple[int, int], ...]
  first_alone: bool  # the first group has a context of zeros, without the bias
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self,
    features: Float[Array, "b h w f"],
    around: Float[Array, "b h w t c"],
    groups: Int[Array, "h w"],
  ) -> Float[Array, "b h w o"]:
    context = neighbours.MaskedConv(
      2 * self.latent, self.taps, self.dtype, name="masked"
    )(around)
    if self.first_alone:
      context = neighbours.unless_first(context, groups)
    x = jnp.concatenate([features.astype(context.dtype), context], -1)
    for k, width in enumerate((10 * self.latent // 3, 8 * self.latent // 3)):
      x = nn.leaky_relu(nn.Dense(width, dtype=self.dtype, name=f"dense{k}")(x))
    return nn.Dense(self.outputs, dtype=jnp.float32, name="dense2")(x)
