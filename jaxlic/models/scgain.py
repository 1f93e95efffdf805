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
synthesis and the conditions. Training draws maps, and
`jaxlic/quality.py` tells what they weigh.

References:
  mmSir, "GainedVAE", 2021, SCGainedMSHyperprior (widths; modulations after the
  first three stages of the transforms, and before the synthesis).
  Song, Choi, Han, "Variable-rate deep image compression through
  spatially-adaptive feature transform", 2021. Where neither is followed to the
  letter: c1 is at half the resolution, modulations start as the identity, and
  the scaling of cells is our own.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import factorized, gaussian
from jaxlic.models import gained
from jaxlic.models.parts import (
  cells,
  gain_units,
  normalization,
  options,
  precision,
  stages,
)
from jaxlic.models.parts.net import init_of
from jaxlic.models.parts.published import HYPER_STRIDE, STRIDE
from jaxlic.models.parts.skeleton import Transforms, build, transforms
from jaxlic.nn import hyper_networks
from jaxlic.nn import modulated_networks as networks
from jaxlic.quantize import surrogates
from jaxlic.types import (
  Context,
  Grid,
  Model,
  ModelSpec,
  Params,
  Quality,
  Quantizer,
  Stage,
  StageSpec,
)

WIDTH, LATENT, HIDDEN = 128, 192, 128


def make(
  *,
  width: options.Count = WIDTH,
  latent: options.Count = LATENT,
  hidden: options.Count = HIDDEN,
  lambdas: options.Weights = gained.GAINED_VAE,
  hyper_input: options.HyperInput = "gained",
  surrogate: options.Surrogate = "noise",
  norm: options.Norm = "sqrt",
  dtype: options.Precision = "float32",
  name: options.Word = "scgain",
) -> Model:
  """Returns the model.

  Args:
    width: Channels inside the transforms and of z.
    latent: Channels of y.
    hidden: Channels of the conditions and inside the modulations.
    lambdas: The weight of the distortion at each level, ascending.
    hyper_input: What the hyper analysis sees, "gained" or "ungained" y.
    surrogate: What stands for rounding in training, see quantize/surrogates.py.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such surrogate, norm, dtype or input of the
      hyper analysis, there are less than two levels, or lambdas do not ascend.
  """
  dtype, form = precision.checked(dtype), normalization.form(norm)
  nets = transforms(
    networks.Analysis(width, latent, hidden, dtype, form),
    networks.Synthesis(width, hidden, dtype, form),
    hyper_networks.HyperAnalysis(width, dtype),
    hyper_networks.HyperSynthesis(latent, dtype),
    latent=latent,
    hyper_latent=width + 1,  # z, and the map
    inputs=4,
  )
  model = _make(nets, surrogates.make(surrogate))
  return gain_units.wrap(
    model, hyper="z", name=name, lambdas=lambdas, hyper_input=hyper_input
  )


def _make(nets: Transforms, quantizer: Quantizer) -> Model:
  """The model without gains."""
  latent, width = nets.latent, nets.hyper_latent - 1
  analysis, synthesis, hyper_analysis, hyper_synthesis, *_ = nets
  known = (1, 1, 1, nets.hyper_latent)
  synthesis = synthesis._replace(inputs=(*synthesis.inputs, known))

  def analyze(params: Params, image: Float[Array, "b H W 3"], quality: Quality):
    """The last channel is that of the map, on y's grid."""
    quality_map = quality.map[..., None]
    y = analysis(params, jnp.concatenate([image, quality_map], -1))
    return cells.scale(y, quality_map)

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    y, steps = y[..., :latent], y[..., latent:]
    steps = steps[:, ::HYPER_STRIDE, ::HYPER_STRIDE]
    return {"map": steps, "z": hyper_analysis(params, y), "y": y}

  def absorb_z(params: Params, context: Context, z_hat, grid: Grid):
    known = jnp.concatenate([z_hat, context["map"]], -1)
    hyper = hyper_synthesis(params, known, grid)
    return context | {"hyper": hyper, "known": known}

  def synthesize(params: Params, context: Context) -> Float[Array, "b H W 3"]:
    y = cells.unscale(context["y"], context["map"])
    return synthesis(params, y, context["known"])

  z_spec = StageSpec("z", HYPER_STRIDE * STRIDE, width, side=True)
  return build(
    ModelSpec("scgain", STRIDE, takes_map=True),
    [
      *(i for n in (analysis, synthesis, *nets[2:4]) for i in n.inits),
      init_of("z_density", factorized.init, width),
      init_of("map_density", factorized.init, 1),
    ],
    analyze,
    latents,
    [
      cells.stage("map"),
      stages.factorized_stage(z_spec, quantizer, absorb_z, HYPER_STRIDE),
      Stage(
        StageSpec("y", STRIDE, latent),
        quantizer,
        gaussian.by_scale(),
        stages.predict_by_hyper,
        stages.absorb_as("y"),
      ),
    ],
    synthesize,
  )
