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
  Tran, Liang, Tu, 2003 (the lapped transform, see nn/lapped_transform.py).
"""

from typing import Annotated

from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import channel_groups, options, precision, shared_prior
from jaxlic.models.parts.branched import Branched
from jaxlic.models.parts.net import Given, Net
from jaxlic.nn import lapped_networks as networks
from jaxlic.nn.lapped_transform import BLOCK
from jaxlic.quantize import dead_zone, rounding, straight_through
from jaxlic.types import (
  Model,
  ModelSpec,
)

SURROGATES = {"mixed": rounding.mixed, "straight": straight_through.rounded}
GROUPS = (16, 48, 96, 160)
LEVELS = 7
LAMBDAS = tuple(0.0012 * 50 ** (s / (LEVELS - 1)) for s in range(LEVELS))
COARSE = 4  # positions of y per position of z
CHANNELS = 3 * BLOCK**2  # of all frequencies


def make(
  *,
  width: Annotated[int, options.whole(4, unit=2)] = 96,
  groups: options.Counts = GROUPS,
  two_pass: options.CountOrNo = 2,
  reach: Annotated[int, options.whole(1, unit=2)] = 3,
  predict_width: options.CountOrNone = None,
  predict_layers: options.CountOrNo = 1,
  analysis_widths: options.PairOrNone = None,
  analysis_blocks: options.Pair = (1, 1),
  synthesis_widths: options.TripleOrNone = None,
  synthesis_blocks: options.Triple = (2, 2, 3),
  surrogate: Annotated[str, options.one_of(*SURROGATES)] = "mixed",
  dtype: options.Precision = "float32",
  name: options.Word = "lapped",
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
    JaxlicError: If there is no such surrogate or dtype, or there are fewer
      groups than take two passes, or more channels than frequencies.
  """
  if surrogate not in SURROGATES:
    raise JaxlicError(
      f"surrogate is one of {', '.join(SURROGATES)}, got {surrogate!r}; choose "
      "one of them"
    )
  if two_pass > len(groups) or sum(groups) > CHANNELS:
    raise JaxlicError(
      f"two_pass counts groups, which have up to {CHANNELS} channels together, "
      f"got two_pass {two_pass} and groups {groups}; give fewer"
    )
  relaxed, dtype = SURROGATES[surrogate], precision.checked(dtype)
  hyper, fine, coarse = width // 3, width, width * 3 // 2
  y, z, t = (1, COARSE, COARSE, sum(groups)), (1, 1, 1, hyper), (1,)
  image = (1, COARSE * BLOCK, COARSE * BLOCK, 3)
  analysis = networks.Analysis(
    sum(groups), analysis_widths or (fine, coarse), analysis_blocks, dtype
  )
  synthesis = networks.Synthesis(
    synthesis_widths or (coarse, fine, fine // 2), synthesis_blocks, dtype
  )
  transform = Branched(
    Net("analysis", analysis, (image, y, t)),
    Net("synthesis", synthesis, (y, image, t)),
    sum(groups),
    LEVELS,
  )
  passes = channel_groups.split(groups, two_pass=two_pass, stride=BLOCK)
  predictors = {
    group: Net(
      f"predict_{group.name}",
      networks.Predictor(
        predict_width or width,
        group.stop - group.start,
        reach if group.half == 1 else 3,
        predict_layers,
        dtype,
      ),
      ((1, COARSE, COARSE, width + group.known), t),
    )
    for group in passes
  }
  return shared_prior.hyperprior(
    ModelSpec(name, BLOCK, LEVELS, LAMBDAS),
    transform,
    Net("hyper_analysis", networks.HyperAnalysis(width, hyper, dtype), (y, t)),
    Net(
      "hyper_synthesis",
      networks.HyperSynthesis(width, dtype),
      (z, Given((COARSE, COARSE))),
    ),
    predictors,
    rounding.make(relaxed()),
    dead_zone.make(lambda known: gaussian.scale_at(known.scale), relaxed),
  )
