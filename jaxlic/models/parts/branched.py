"""A lapped transform with convolutional branches beside it.

The transform is linear: coefficients of an orthonormal luma-chroma space, the
strongest of photographs. A branch of the encoder adds to them, in the unit of
their deviations, and one of the decoder to the picture. Their last layers start
at zero, and so they learn what a linear transform cannot do.

The parameters are two matrices, "forward" and "inverse", the logarithms of the
coefficients' deviations, "log_deviation" [c], and those of the branches.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.models.parts.net import Net
from jaxlic.nn import colour, convolutions
from jaxlic.nn.lapped_transform import (
  BLOCK,
  coefficient_basis,
  compand,
  postfilter,
  prefilter,
)
from jaxlic.types import Context, Params, Quality


class Branched(NamedTuple):
  """Analysis and synthesis of y, at the stride of the transform's blocks."""

  analysis: Net  # (image, coefficients, centred level) -> [b h w c]
  synthesis: Net  # (coefficients, picture, centred level) -> [b H W 3]
  channels: int  # c, of y
  levels: int

  def init(self, key: Array) -> Params:
    """Returns the parameters but for those of the branches."""
    basis, log_deviation = coefficient_basis(self.channels)
    return {
      "forward": jnp.asarray(basis, jnp.float32),
      "inverse": jnp.asarray(basis.T, jnp.float32),
      "log_deviation": jnp.asarray(log_deviation, jnp.float32),
    }

  def analyze(
    self, params: Params, image: Float[Array, "b H W 3"], quality: Quality
  ) -> Float[Array, "b h w c"]:
    """Returns y."""
    luma_chroma = colour.to_luma_chroma(image)
    blocks = convolutions.space_to_depth(prefilter(luma_chroma), BLOCK)
    linear = blocks @ params["forward"]
    more = self.analysis(
      params, luma_chroma, compand(linear), centred(quality, self.levels)
    )
    deviation = jnp.exp(params["log_deviation"])
    return linear + deviation[None, None, None] * more

  def synthesize(
    self, params: Params, context: Context
  ) -> Float[Array, "b H W 3"]:
    """Returns the image of `context["y"]`."""
    y = context["y"]
    blocks = convolutions.depth_to_space(y @ params["inverse"], BLOCK)
    linear = postfilter(blocks)
    residual = self.synthesis(
      params, compand(y), linear, centred(context["quality"], self.levels)
    )
    return colour.from_luma_chroma(linear + residual)


def centred(quality: Quality, levels: int) -> Float[Array, "b"]:
  """Returns the level, from -1 to 1, as networks are told it."""
  return quality.level / (levels - 1) * 2.0 - 1.0
