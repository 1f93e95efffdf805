"""A block DCT whose coefficients are Laplacian, in one file.

As somebody would write it who has jaxlic installed: nothing of jaxlic knows it.

    import laplace_dct  # registers "laplace-dct"
"""

import jax.numpy as jnp
import numpy as np

from jaxlic import models
from jaxlic.coding import tables
from jaxlic.quantize import surrogates
from jaxlic.types import (
  Density,
  Model,
  ModelSpec,
  Prediction,
  Stage,
  StageSpec,
)

BLOCK = 8
LAMBDAS = (0.01,)
MASS_MIN = 1e-9


def make(*, channels=24, step=0.04, dtype="float32", name="laplace-dct"):
  """The `channels` lowest frequencies of each colour, in steps of `step`."""
  basis = low_frequencies(channels)

  def init(key):
    return {
      "forward": jnp.asarray(basis / step, jnp.float32),
      "backward": jnp.asarray(basis.T * step, jnp.float32),
      "log_scale": jnp.zeros(channels),
    }

  def analyze(params, image, quality):
    return to_blocks(image - 0.5) @ params["forward"]

  def predict(params, context, grid):
    batch = context["quality"].level.shape[0]
    zero = jnp.zeros((batch, *grid, channels))
    return Prediction(mean=zero, scale=zero + jnp.exp(params["log_scale"]))

  def absorb(params, context, y_hat, grid):
    return context | {"y": y_hat}

  def synthesize(params, context):
    return from_blocks(context["y"] @ params["backward"]) + 0.5

  stage = Stage(
    StageSpec("y", BLOCK, channels),
    surrogates.make("noise"),
    laplacian(),
    predict,
    absorb,
  )
  return Model(
    ModelSpec(name, BLOCK, lambdas=LAMBDAS),
    init,
    analyze,
    lambda params, y, quality: {"y": y},
    (stage,),
    synthesize,
  )


def laplacian():
  """A density with a scale per channel."""

  def bits(params, coded, known):
    mass = bin_mass(coded - known.mean, known.scale)
    return -jnp.log2(jnp.maximum(mass, MASS_MIN))

  def rows(known):
    channels = jnp.arange(known.mean.shape[-1], dtype=jnp.int32)
    return jnp.broadcast_to(channels, known.mean.shape)

  def freeze(params):
    table = []
    for scale in np.exp(np.asarray(params["log_scale"], np.float64)):
      radius = int(np.ceil(12 * scale)) + 1
      symbols = np.arange(-radius, radius + 1)
      pmf = np.asarray(bin_mass(symbols, scale, np), np.float64)
      table.append((pmf, max(1 - pmf.sum(), MASS_MIN), -radius))
    return tables.make_tables(table)

  return Density(bits, rows, None, freeze)


def bin_mass(x, scale, xp=jnp):
  """The mass of the unit bin around x."""
  size = xp.abs(x)
  inside = 1 - xp.exp(-0.5 / scale) * xp.cosh(xp.minimum(size, 0.5) / scale)
  outside = xp.exp(-xp.maximum(size, 0.5) / scale) * xp.sinh(0.5 / scale)
  return xp.where(size < 0.5, inside, outside)


def low_frequencies(channels):
  """The DCT's basis images [BLOCK * BLOCK * 3, channels], lowest first."""
  k, i = np.mgrid[:BLOCK, :BLOCK]
  dct = np.cos(np.pi * (i + 0.5) * k / BLOCK) * np.sqrt(2 / BLOCK)
  dct[0] /= np.sqrt(2)
  basis = np.einsum("ui,vj,cd->ijduvc", dct, dct, np.eye(3))
  order = np.argsort(np.repeat((k + i).ravel(), 3), kind="stable")[:channels]
  return basis.reshape(3 * BLOCK**2, -1)[:, order]


def to_blocks(image):
  b, h, w, c = image.shape
  blocks = image.reshape(b, h // BLOCK, BLOCK, w // BLOCK, BLOCK, c)
  return blocks.swapaxes(2, 3).reshape(b, h // BLOCK, w // BLOCK, -1)


def from_blocks(blocks):
  b, h, w, _ = blocks.shape
  image = blocks.reshape(b, h, w, BLOCK, BLOCK, 3).swapaxes(2, 3)
  return image.reshape(b, h * BLOCK, w * BLOCK, 3)


models.register("laplace-dct", make)
