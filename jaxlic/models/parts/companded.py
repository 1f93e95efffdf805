"""A model of two stages, z and y, whose y is companded.

The A-law's parameter A and its dynamic range D are those of a position, and the
decoder has them:

    "sent"   two 3x3 convolutions of y give ln A in 8 levels, which is a stage
             before y's, with a factorized density: 3 bits a position, 0.012
             per pixel at stride 16, where levels are equally frequent; those of
             the hyper synthesis give ln D
    "hyper"  those of the hyper synthesis give ln A and ln D
    "none"   y is not companded

Contexts see expanded latents, and means and scales are those of companded ones.
In raster order this feeds back: where expansion is steep, a rounding error of a
mean grows from one wave to the next.

References:
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023. It has a = h(y)
  and, as it is cited, does not say how the decoder comes by it: "sent" is the
  form that is of y. Levels, networks and start, A = e^0.5 and D = 16, are made
  here.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.densities import factorized
from jaxlic.errors import JaxlicError
from jaxlic.models.parts.net import Net, init_of
from jaxlic.models.parts.skeleton import with_params
from jaxlic.models.parts.stages import factorized_stage
from jaxlic.nn import convolutions
from jaxlic.quantize import companding
from jaxlic.quantize.companding import Companded
from jaxlic.types import (
  Context,
  Grid,
  Model,
  Params,
  Quality,
  Quantizer,
  StageSpec,
)

KINDS = ("sent", "hyper", "none")
LARGEST_LOG_A = math.log(255)
START_LOG_A, START_LOG_REACH = 0.5, math.log(16)
LEVELS = 8  # of ln A that is sent
HIDDEN = 32  # channels


def make(model: Model, kind: str, *, hyper: int, quantizer: Quantizer) -> Model:
  """Returns the model with companding, of one of KINDS.

  Args:
    model: Stages z and y, y in an order of features [b h w hyper].
    kind: Where A comes from.
    hyper: Channels of the features.
    quantizer: Of the levels that are sent.

  Raises:
    JaxlicError: If there is no such kind.
  """
  if kind not in KINDS:
    raise JaxlicError(
      f"companding is one of {', '.join(KINDS)}, got {kind!r}; choose one"
    )
  if kind == "none":
    return model
  companded = _companded(model, hyper, sent=kind == "sent")
  return _sent(companded, quantizer) if kind == "sent" else companded


def _companded(model: Model, channels: int, *, sent: bool) -> Model:
  """The model with A-law companding of y.

  If A is sent, `context["log_a"]` has it; else the head gives it, too.
  """
  z_stage, stage = model.stages
  head = Net("companding", Head(1 if sent else 2), ((1, 1, 1, channels),))

  def predict(
    params: Params, context: Context, grid: Grid
  ) -> Float[Array, "b h w f"]:
    hyper = stage.predict(params, context, grid)
    numbers = head(params, hyper)
    log_a = context["log_a"] if sent else _log_a(numbers[..., :1])
    log_reach = START_LOG_REACH + jnp.arcsinh(numbers[..., -1:])
    return jnp.concatenate([hyper, log_a, log_reach], -1)

  def refine(params: Params, features, around, groups) -> Companded:
    hyper, log_a, log_reach = jnp.split(features, (channels, channels + 1), -1)
    inner = stage.order.refine(params, hyper, around, groups)
    return Companded(inner, log_a, log_reach)

  y_stage = stage._replace(
    quantizer=companding.make(stage.quantizer),
    density=companding.rated(stage.density),
    predict=predict,
    order=stage.order._replace(refine=refine),
  )
  staged = model._replace(stages=(z_stage, y_stage))
  return with_params(staged, [head.init])


def _sent(model: Model, quantizer: Quantizer) -> Model:
  """The model with a stage for ln A, after z."""
  z_stage, y_stage = model.stages
  head = Net("log_a", Head(1), ((1, 1, 1, y_stage.spec.channels),))

  def latents(params: Params, y: Float[Array, "b h w c"], quality: Quality):
    log_a = _log_a(head(params, y))
    level = (LEVELS - 1) / LARGEST_LOG_A * log_a
    return model.latents(params, y, quality) | {"a": level}

  def absorb(params: Params, context: Context, level, grid: Grid) -> Context:
    level = jnp.clip(level, 0.0, LEVELS - 1.0)
    return context | {"log_a": LARGEST_LOG_A / (LEVELS - 1) * level}

  spec = StageSpec("a", model.spec.stride, 1, side=True)
  stage = factorized_stage(spec, quantizer, absorb)
  return with_params(
    model._replace(latents=latents, stages=(z_stage, stage, y_stage)),
    [head.init, init_of("a_density", factorized.init, 1)],
  )


def _log_a(number: Float[Array, "b h w 1"]) -> Float[Array, "b h w 1"]:
  """Ln A, within 0 and its largest, START_LOG_A for 0."""
  start = math.log(START_LOG_A / (LARGEST_LOG_A - START_LOG_A))
  return LARGEST_LOG_A * jax.nn.sigmoid(number + start)


class Head(nn.Module):
  """What is told of every position by those around it; 0 at first.

  It computes in float32, for its numbers scale the latent.
  """

  outputs: int

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
    x = nn.leaky_relu(convolutions.conv(HIDDEN, 3, name="conv0")(x))
    zeros = nn.initializers.zeros
    return convolutions.conv(self.outputs, 3, name="conv1", kernel_init=zeros)(
      x
    )
