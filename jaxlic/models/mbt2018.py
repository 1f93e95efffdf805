"""The mean-scale hyperprior: z predicts the mean and the scale of every y.

The transforms are those of bmshj2018. The hyper transforms see y itself, use
leaky ReLUs, and the hyper synthesis is wider, with two numbers per latent.

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018 (the model without its autoregression).
  Begaint et al., "CompressAI", 2020, models/google.py (layers and widths).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.models import bmshj2018
from jaxlic.nn import resample
from jaxlic.types import Model, Prediction

WIDE_FROM = 5  # the first quality of the wide networks


def make_mean(
  *,
  quality: int = 4,
  width: int | None = None,
  latent: int | None = None,
  norm: str = "sqrt",
  name: str = "mbt2018-mean",
) -> Model:
  """Returns the mean-scale hyperprior of a published quality.

  Args:
    quality: 1 (fewest bits) to 8: the weight of the distortion, and the widths.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    norm: The form of the divisive normalization, see nn/gdn.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality.
  """
  width, latent = bmshj2018.published_widths(quality, width, latent, WIDE_FROM)

  def read(hyper: Float[Array, "b h w c"]) -> Prediction:
    scale, mean = jnp.split(hyper, 2, -1)
    return Prediction(mean=mean, scale=scale)

  return bmshj2018.with_hyper(
    bmshj2018.model_spec(name, quality),
    bmshj2018.Analysis(width, latent, norm),
    bmshj2018.Synthesis(width, norm),
    HyperAnalysis(width),
    HyperSynthesis(latent),
    read,
  )


class HyperAnalysis(nn.Module):
  """From y to z, at a quarter of y's grid, rounded up."""

  width: int

  @nn.compact
  def __call__(self, y: Float[Array, "b h w c"]) -> Float[Array, "b u v d"]:
    x = nn.leaky_relu(resample.conv(self.width, 3, name="conv0")(y))
    x = nn.leaky_relu(resample.conv(self.width, 5, 2, name="conv1")(x))
    return resample.conv(self.width, 5, 2, name="conv2")(x)


class HyperSynthesis(nn.Module):
  """From z to the scales of y, then its means, along the channels."""

  latent: int

  @nn.compact
  def __call__(
    self, z: Float[Array, "b u v d"], grid: tuple[int, int]
  ) -> Float[Array, "b h w c"]:
    middle = self.latent * 3 // 2
    x = nn.leaky_relu(resample.UpConv(self.latent, name="conv0")(z))
    x = nn.leaky_relu(resample.UpConv(middle, name="conv1")(x))
    x = resample.conv(2 * self.latent, 3, name="conv2")(x)
    return x[:, : grid[0], : grid[1]]
