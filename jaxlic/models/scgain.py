"""Spatial-channel gain: bits where a quality map wants them, at any rate.

The mean-scale hyperprior with gain units, whose transforms are modulated in
every place. The encoder sees a map q of the image, from 0 (least) over 1/2 (as
without a map) to 1 (best), beside the image; the decoder sees no map, it makes
its condition of what is coded.

    encoder   c1 = conv3/2 conv3 conv3 of (image, q);  c2, c3 = conv3/2 each
              conv5/2 GDN M(c1) conv5/2 GDN M(c2) conv5/2 GDN M(c3) conv5/2
    decoder   c0 = conv3 of (y, up5 up5 of z);  c1, c2, c3 = up5 each
              M(c0) up5 IGDN M(c1) up5 IGDN M(c2) up5 IGDN M(c3) up5

M(c) is a modulation of `hidden` channels, see nn/modulation.py. So that a model
starts near the optimum, y is scaled by the root of the map's mean weight in
each cell of 64x64 pixels, and unscaled before the synthesis: a third latent,
"map", holds its logarithm in whole steps of 1/16, beside z for the hyper
synthesis and the conditions. Training draws maps, see `jaxlic/quality_maps.py`,
which also tells what they weigh.

References:
  mmSir, "GainedVAE", 2021, SCGainedMSHyperprior (widths; modulations after the
  first three stages of the transforms, and before the synthesis).
  Song, Choi, Han, "Variable-rate deep image compression through
  spatially-adaptive feature transform", 2021. Where neither is followed to the
  letter: c1 is at half the resolution, modulations start as the identity, and
  the scaling of cells is our own.
"""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxlic import quality_maps
from jaxlic.entropy import factorized, gaussian
from jaxlic.models import bmshj2018, gained, mbt2018
from jaxlic.models.bmshj2018 import HYPER_STRIDE, STRIDE
from jaxlic.models.parts import precision
from jaxlic.nn import convolutions
from jaxlic.nn.gdn import GDN
from jaxlic.nn.modulation import Modulation
from jaxlic.quantize import rounding, surrogates
from jaxlic.types import Model, ModelSpec, Prediction, Stage, StageSpec

WIDTH, LATENT, HIDDEN = 128, 192, 128
STEPS = 16  # of the logarithm of a cell's scaling
MOST = 14  # steps, of maps that are 1, or 0, all over a cell


def make(
  *,
  width: int = WIDTH,
  latent: int = LATENT,
  hidden: int = HIDDEN,
  lambdas: tuple[float, ...] = gained.GAINED_VAE,
  hyper_input: str = "gained",
  surrogate: str = "noise",
  dtype: str = "float32",
  name: str = "scgain",
) -> Model:
  """Returns the model.

  Args:
    width: Channels inside the transforms and of z.
    latent: Channels of y.
    hidden: Channels of the conditions and inside the modulations.
    lambdas: The weight of the distortion at each level, ascending.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such surrogate, dtype or input of the hyper
      analysis, there are less than two levels, or lambdas do not ascend.
  """
  dtype = precision.checked(dtype)
  net = _Networks(
    width,
    latent,
    Analysis(width, latent, hidden, dtype),
    Synthesis(width, hidden, dtype),
    mbt2018.HyperAnalysis(width, dtype),
    mbt2018.HyperSynthesis(latent, dtype),
  )
  quantizer = surrogates.make(surrogate)
  hyper_stage = functools.partial(
    bmshj2018.factorized_stage, factor=HYPER_STRIDE
  )
  stages = (
    hyper_stage("map", 1, rounding.make(rounding.mixed()), _absorb_map),
    hyper_stage("z", width, quantizer, functools.partial(_absorb_z, net)),
    Stage(
      StageSpec("y", STRIDE, latent),
      quantizer,
      gaussian.by_scale(),
      _predict_y,
      bmshj2018.absorb_as("y"),
    ),
  )
  model = Model(
    ModelSpec(name, STRIDE, quality_map=True),
    functools.partial(_init, net),
    functools.partial(_analyze, net),
    functools.partial(_latents, net),
    stages,
    functools.partial(_synthesize, net),
  )
  return gained.wrap(model, name=name, lambdas=lambdas, hyper_input=hyper_input)


@dataclasses.dataclass(frozen=True)
class _Networks:
  """The model's layers, and the channels of z and y."""

  width: int
  latent: int
  analysis: nn.Module
  synthesis: nn.Module
  hyper_analysis: nn.Module
  hyper_synthesis: nn.Module


def _init(net: _Networks, key: Array) -> dict:
  keys = jax.random.split(key, 6)
  image = jnp.zeros((1, STRIDE, STRIDE, 4))
  y, z = jnp.zeros((1, 1, 1, net.latent)), jnp.zeros((1, 1, 1, net.width + 1))
  return {
    "analysis": net.analysis.init(keys[0], image),
    "synthesis": net.synthesis.init(keys[1], y, z),
    "hyper_analysis": net.hyper_analysis.init(keys[2], y),
    "hyper_synthesis": net.hyper_synthesis.init(keys[3], z, (1, 1)),
    "z_density": factorized.init(keys[4], net.width),
    "map_density": factorized.init(keys[5], 1),
  }


def _analyze(
  net: _Networks, params: dict, image: Float[Array, "b H W 4"], rate
) -> Float[Array, "b h w c"]:
  """The last channel is that of the map, on y's grid."""
  y = net.analysis.apply(params["analysis"], image)
  steps = spread(cell_steps(image[..., 3:]), y.shape[1:3])
  return jnp.concatenate([y * jnp.exp(steps / STEPS), steps], -1)


def _latents(
  net: _Networks, params: dict, y: Float[Array, "b h w c"], rate
) -> dict:
  y, steps = y[..., : net.latent], y[..., net.latent :]
  z = net.hyper_analysis.apply(params["hyper_analysis"], y)
  return {"map": steps[:, ::HYPER_STRIDE, ::HYPER_STRIDE], "z": z, "y": y}


def _absorb_map(params: dict, context: dict, steps, grid) -> dict:
  # A damaged file may hold any number.
  return context | {"map": jnp.clip(steps, -MOST, MOST)}


def _absorb_z(net: _Networks, params: dict, context: dict, z_hat, grid) -> dict:
  known = jnp.concatenate([z_hat, context["map"]], -1)
  hyper = net.hyper_synthesis.apply(params["hyper_synthesis"], known, grid)
  return context | {"hyper": hyper, "known": known}


def _predict_y(params: dict, context: dict, grid) -> Prediction:
  return mbt2018.read_scale_and_mean(context["hyper"])


def _synthesize(
  net: _Networks, params: dict, context: dict
) -> Float[Array, "b H W 3"]:
  steps = spread(context["map"], context["y"].shape[1:3])
  y = context["y"] * jnp.exp(-steps / STEPS)
  return net.synthesis.apply(params["synthesis"], y, context["known"])


def cell_steps(
  quality_map: Float[Array, "b H W 1"],
) -> Float[Array, "b u v 1"]:
  """Returns the log of the scaling of every cell, in whole steps of 1/16."""
  h, w = (-(-side // STRIDE) for side in quality_map.shape[1:3])
  more = (-h % HYPER_STRIDE, -w % HYPER_STRIDE)
  pad = ((0, 0), *((0, n * STRIDE) for n in more), (0, 0))
  blocks = convolutions.space_to_depth(
    jnp.pad(quality_maps.weight(quality_map), pad, mode="edge"),
    HYPER_STRIDE * STRIDE,
  )
  return jnp.round(STEPS / 2 * jnp.log(blocks.mean(-1, keepdims=True)))


def spread(
  cells: Float[Array, "b u v 1"], grid: tuple[int, int]
) -> Float[Array, "b h w 1"]:
  """Returns the value of its cell for every position of y."""
  wide = jnp.repeat(jnp.repeat(cells, HYPER_STRIDE, 1), HYPER_STRIDE, 2)
  return wide[:, : grid[0], : grid[1]]


class Analysis(nn.Module):
  """From the image and its quality map to y, at stride 16."""

  width: int
  latent: int
  hidden: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "b H W 4"]) -> Float[Array, "b h w c"]:
    conv = functools.partial(convolutions.conv, dtype=self.dtype)
    condition = nn.leaky_relu(conv(self.hidden, 3, 2, name="map0")(x))
    condition = nn.leaky_relu(conv(self.hidden, 3, name="map1")(condition))
    condition = conv(self.hidden, 3, name="map2")(condition)
    x = x[..., :3]
    for k in range(3):
      if k:
        down = conv(self.hidden, 3, 2, name=f"map{k + 2}")
        condition = down(nn.leaky_relu(condition))
      x = conv(self.width, 5, 2, name=f"conv{k}")(x)
      x = GDN(name=f"gdn{k}")(x)
      x = Modulation(self.hidden, self.dtype, name=f"modulation{k}")(
        x, condition
      )
    return convolutions.conv(self.latent, 5, 2, name="conv3")(x)


class Synthesis(nn.Module):
  """From y, and z beside the map, to the image."""

  width: int
  hidden: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(
    self, y: Float[Array, "b h w c"], z: Float[Array, "b u v d"]
  ) -> Float[Array, "b H W 3"]:
    up_conv = functools.partial(convolutions.UpConv, dtype=self.dtype)
    condition = nn.leaky_relu(up_conv(self.hidden, name="map0")(z))
    condition = nn.leaky_relu(up_conv(self.hidden, name="map1")(condition))
    condition = condition[:, : y.shape[1], : y.shape[2]]
    both = jnp.concatenate([y.astype(condition.dtype), condition], -1)
    condition = convolutions.conv(
      self.hidden, 3, dtype=self.dtype, name="map2"
    )(both)
    modulate = functools.partial(Modulation, self.hidden, self.dtype)
    x = modulate(name="modulation0")(y, condition)
    for k in range(3):
      condition = up_conv(self.hidden, name=f"map{k + 3}")(
        nn.leaky_relu(condition)
      )
      x = up_conv(self.width, name=f"conv{k}")(x)
      x = GDN(inverse=True, name=f"gdn{k}")(x)
      x = modulate(name=f"modulation{k + 1}")(x, condition)
    return convolutions.UpConv(3, name="conv3")(x)
