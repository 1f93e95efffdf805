"""A light mean-scale hyperprior for photographs that starts near the optimum.

One set of weights serves every quality from 0 to 6. Its linear skeleton is a
lapped transform of an orthonormal luma-chroma space; convolutional branches
whose last layers start at zero learn what a linear transform cannot do. The
latents pass gain units (pairs of vectors per trained level, exp-parametrised,
interpolated geometrically), and are coded in four groups from low to high
frequency, each conditioned on the hyper latent and the groups before it. The
two lowest take two passes over a checkerboard, since low frequencies of
neighbouring blocks resemble each other.

Means and scales are predicted in image units and the log gain is added, so
that all qualities share one entropy model. Scales are positions on the
Gaussian's ladder, linear in the network's output.

References:
  Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for
  learned image compression", 2018 (mean-scale hyperprior).
  Minnen, Singh, "Channel-wise autoregressive entropy models for learned image
  compression", 2020 (groups of channels).
  Cui et al., "Asymmetric gained deep image compression with continuous rate
  adaptation", 2021 (gain units).
  Tran, Liang, Tu, 2003 (the lapped transform, see nn/lapped.py).
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlic.entropy import factorized, gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import precision
from jaxlic.models.parts.channel_groups import Part, split
from jaxlic.nn import (
  colour,
  convolutions,
  gains,
  lapped_networks,
  lapped_transform,
)
from jaxlic.quantize import dead_zone, rounding, straight_through
from jaxlic.types import Model, ModelSpec, Prediction, Stage, StageSpec

BLOCK = lapped_transform.BLOCK
SURROGATES = {"mixed": rounding.mixed, "straight": straight_through.rounded}
GROUPS = (16, 48, 96, 160)
LEVELS = 7
LAMBDAS = tuple(0.0012 * 50 ** (s / (LEVELS - 1)) for s in range(LEVELS))
# log of a coefficient's deviation over photographs, for luma and two chroma
# axes: (dc, a, b, r0) of a - b/2 log(1 + r^2 / r0^2) at radial frequency r,
# fitted to 250 of the training photographs (root mean square error 0.16-0.28).
SPECTRUM = (
  (1.91, -0.42, 1.72, 3.0),
  (0.85, -1.09, 1.95, 1.5),
  (0.11, -2.00, 1.85, 2.0),
)


def make(
  *,
  width: int = 96,
  groups: tuple[int, ...] = GROUPS,
  two_pass: int = 2,
  reach: int = 3,
  predict_width: int | None = None,
  predict_layers: int = 1,
  analysis_widths: tuple[int, int] | None = None,
  analysis_blocks: tuple[int, int] = (1, 1),
  synthesis_widths: tuple[int, int, int] | None = None,
  synthesis_blocks: tuple[int, int, int] = (2, 2, 3),
  surrogate: str = "mixed",
  dtype: str = "float32",
  name: str = "lapped",
) -> Model:
  """Returns the model.

  Args:
    width: Channels of the hyper networks and of the layers at stride 8.
    groups: Latent channels of each group, lowest frequencies first.
    two_pass: How many of the first groups take two checkerboard passes.
    reach: Sites a side that the predictor of a second pass sees.
    predict_width: Channels of the predictors; None: `width`.
    predict_layers: Their layers of one site between the first and the last.
    analysis_widths: Channels of the encoder's branch at strides 8 and 16; None:
      `width` and half as many more.
    analysis_blocks: Its residual blocks there.
    synthesis_widths: Channels of the decoder's branch at strides 16, 8 and 4;
      None: half as many more than `width`, `width`, half of it.
    synthesis_blocks: Its residual blocks there.
    surrogate: "mixed" rates noise, "straight" what is coded: for a last phase
      in which what makes the latents rests.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: What errors call the model.

  Raises:
    JaxlicError: If there is no such surrogate or dtype.
  """
  if surrogate not in SURROGATES:
    raise JaxlicError(
      f"surrogate is one of {', '.join(SURROGATES)}, got {surrogate!r}; choose "
      "one of them"
    )
  relaxed = SURROGATES[surrogate]
  fine, coarse = width, width * 3 // 2
  dtype = precision.checked(dtype)
  net = _networks(
    width,
    split(groups, two_pass=two_pass, stride=BLOCK),
    lapped_networks.Analysis(
      sum(groups), analysis_widths or (fine, coarse), analysis_blocks, dtype
    ),
    lapped_networks.Synthesis(
      synthesis_widths or (coarse, fine, fine // 2), synthesis_blocks, dtype
    ),
    functools.partial(
      lapped_networks.Predictor,
      predict_width or width,
      layers=predict_layers,
      dtype=dtype,
    ),
    reach,
    dtype,
  )
  hyper_stage = Stage(
    StageSpec("z", 4 * BLOCK, net.hyper_channels),
    rounding.make(relaxed()),
    factorized.make("z_density"),
    functools.partial(_predict_z, net),
    functools.partial(_absorb_z, net),
  )
  thrifty = dead_zone.make(
    lambda prediction: gaussian.scale_at(prediction.scale), relaxed
  )
  stages = [
    Stage(
      part.spec(),
      thrifty,
      gaussian.by_index(),
      functools.partial(_predict_y, net, part),
      functools.partial(_absorb_y, net, part),
    )
    for part in net.parts
  ]
  spec = ModelSpec(name, BLOCK, LEVELS, LAMBDAS)
  return Model(
    spec,
    functools.partial(_init, net),
    functools.partial(_analyze, net),
    functools.partial(_latents, net),
    (hyper_stage, *stages),
    functools.partial(_synthesize, net),
  )


@dataclasses.dataclass(frozen=True)
class _Networks:
  """The model's layers, and the parts of its latent."""

  parts: tuple[Part, ...]
  hyper_channels: int
  analysis: lapped_networks.Analysis
  synthesis: lapped_networks.Synthesis
  hyper_analysis: lapped_networks.HyperAnalysis
  hyper_synthesis: lapped_networks.HyperSynthesis
  predictors: dict[str, lapped_networks.Predictor]


def _networks(
  width: int,
  parts: list[Part],
  analysis: lapped_networks.Analysis,
  synthesis: lapped_networks.Synthesis,
  predictor: Callable[..., lapped_networks.Predictor],
  reach: int,
  dtype: str,
) -> _Networks:
  return _Networks(
    parts=tuple(parts),
    hyper_channels=width // 3,
    analysis=analysis,
    synthesis=synthesis,
    hyper_analysis=lapped_networks.HyperAnalysis(width, width // 3, dtype),
    hyper_synthesis=lapped_networks.HyperSynthesis(width, dtype),
    predictors={
      part.name: predictor(
        part.stop - part.start, reach=reach if part.half == 1 else 3
      )
      for part in parts
    },
  )


def _init(net: _Networks, key: Array) -> dict:
  channels = net.parts[-1].stop
  basis, log_deviation = coefficient_basis(channels)
  keys = iter(jax.random.split(key, 5 + len(net.parts)))
  t = jnp.zeros(1)
  y = jnp.zeros((1, 4, 4, channels))
  z = jnp.zeros((1, 1, 1, net.hyper_channels))
  image = jnp.zeros((1, 4 * BLOCK, 4 * BLOCK, 3))
  log_step = 0.5 * np.log(26 / (255**2 * np.array(LAMBDAS)))
  steps = jnp.tile(jnp.asarray(log_step, jnp.float32)[:, None], channels)
  params = {
    "forward": jnp.asarray(basis, jnp.float32),
    "inverse": jnp.asarray(basis.T, jnp.float32),
    "log_deviation": jnp.asarray(log_deviation, jnp.float32),
    "log_gain": -steps,
    "log_inverse_gain": steps,
    "analysis": net.analysis.init(next(keys), image, y, t),
    "synthesis": net.synthesis.init(next(keys), y, image, t),
    "hyper_analysis": net.hyper_analysis.init(next(keys), y, t),
    "hyper_synthesis": net.hyper_synthesis.init(next(keys), z, (4, 4)),
    "z_density": factorized.init(next(keys), net.hyper_channels, scale=1.5),
  }
  hyper = jnp.zeros((1, 4, 4, net.hyper_synthesis.width))
  for part in net.parts:
    known = jnp.concatenate([hyper, y[..., : part.known]], -1)
    params[f"predict_{part.name}"] = net.predictors[part.name].init(
      next(keys), known, t
    )
  return params


def _analyze(
  net: _Networks, params: dict, image: Float[Array, "b H W 3"], rate
) -> Float[Array, "b h w c"]:
  luma_chroma = colour.to_luma_chroma(image)
  blocks = convolutions.space_to_depth(
    lapped_transform.prefilter(luma_chroma), BLOCK
  )
  linear = blocks @ params["forward"]
  return linear + jnp.exp(params["log_deviation"]) * net.analysis.apply(
    params["analysis"], luma_chroma, compand(linear), _centred(rate)
  )


def _latents(
  net: _Networks, params: dict, y: Float[Array, "b h w c"], rate
) -> dict:
  z = net.hyper_analysis.apply(
    params["hyper_analysis"], compand(y), _centred(rate)
  )
  y = y * gains.gain(params["log_gain"], rate)
  return {"z": z} | {part.name: part.take(y) for part in net.parts}


def _predict_z(net: _Networks, params: dict, context: dict, grid) -> Prediction:
  b = context["rate"].shape[0]
  mean = jnp.zeros((b, -(-grid[0] // 4), -(-grid[1] // 4), net.hyper_channels))
  return Prediction(mean=mean, scale=mean)


def _absorb_z(net: _Networks, params: dict, context: dict, z_hat, grid) -> dict:
  hyper = net.hyper_synthesis.apply(params["hyper_synthesis"], z_hat, grid)
  return context | {"hyper": hyper, "y": hyper[..., :0]}


def _predict_y(
  net: _Networks, part: Part, params: dict, context: dict, grid
) -> Prediction:
  rate = context["rate"]
  out = net.predictors[part.name].apply(
    params[f"predict_{part.name}"],
    jnp.concatenate([context["hyper"], compand(context["y"])], -1),
    _centred(rate),
  )
  mean, log_scale = jnp.split(out, 2, -1)
  own = slice(part.start, part.stop)
  log_deviation = params["log_deviation"][own]
  log_gain = gains.interpolate(params["log_gain"][:, own], rate)
  mean = mean * jnp.exp(log_deviation + log_gain)
  log_scale = log_scale + log_deviation + log_gain
  index = (log_scale - math.log(gaussian.SCALE_MIN)) / gaussian.LOG_STEP
  return Prediction(mean=part.pick(mean), scale=part.pick(index))


def _absorb_y(
  net: _Networks, part: Part, params: dict, context: dict, y_hat, grid
) -> dict:
  own = slice(part.start, part.stop)
  inverse = gains.gain(params["log_inverse_gain"][:, own], context["rate"])
  y = part.put(y_hat, grid) * inverse
  known = context["y"]
  if part.known > part.start:  # The second pass fills the gaps of the first.
    y, known = known[..., own] + y, known[..., : part.start]
  return context | {"y": jnp.concatenate([known, y], -1)}


def _synthesize(
  net: _Networks, params: dict, context: dict
) -> Float[Array, "b H W 3"]:
  y = context["y"]
  blocks = convolutions.depth_to_space(y @ params["inverse"], BLOCK)
  linear = lapped_transform.postfilter(blocks)
  residual = net.synthesis.apply(
    params["synthesis"], compand(y), linear, _centred(context["rate"])
  )
  return colour.from_luma_chroma(linear + residual)


def coefficient_basis(
  channels: int,
) -> tuple[Float[np.ndarray, "768 c"], Float[np.ndarray, "c"]]:
  """Returns the DCT of the `channels` strongest coefficients, strongest first.

  Column k of the first is a basis image over a block's (i, j, colour) values;
  the second is the log of its standard deviation, by SPECTRUM.
  """
  u, v = np.mgrid[:BLOCK, :BLOCK]
  logs = np.empty((BLOCK, BLOCK, 3))
  for axis, (dc, a, b, r0) in enumerate(SPECTRUM):
    logs[..., axis] = a - b / 2 * np.log1p((u * u + v * v) / r0**2)
    logs[0, 0, axis] = dc
  order = np.argsort(-logs.ravel(), kind="stable")[:channels]
  dct = lapped_transform.dct_matrix(BLOCK)
  basis = np.einsum("ui,vj,cd->ijduvc", dct, dct, np.eye(3))
  return basis.reshape(3 * BLOCK**2, -1)[:, order], logs.ravel()[order]


def compand(coefficients: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
  """Returns coefficients in image units as a network likes to see them."""
  return 0.3 * jnp.arcsinh(20.0 * coefficients)


def _centred(rate):
  return rate / (LEVELS - 1) * 2.0 - 1.0
