"""The values that travel between jaxlic's layers.

A `Model` describes a codec once, as `Stage`s; `codec.make` derives training,
evaluation, encoding and decoding from it. Bundles of arrays or functions are
NamedTuples; static facts are frozen dataclasses, because `jit` would trace an
`int` inside a NamedTuple.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Params = Any
# The last names of parameters that no gradient changes: medians, which imported
# models alone have, and masks, which open by a rule of their own.
FIXED = ("median", "open")
Context = dict[str, Any]


def rests(path: tuple, only: tuple[str, ...]) -> bool:
  """Whether gradients leave the parameter at a path of a tree as it is.

  Those of FIXED rest, and if there are names in `only`, those of other groups.
  """
  return path[-1].key in FIXED or bool(only and path[0].key not in only)


class Tables(NamedTuple):
  """Integer symbol frequencies of one density, a distribution per row.

  Row r codes `offsets[r] <= symbol < offsets[r] + sizes[r] - 1`, and its last
  entry is the escape.
  """

  frequencies: np.ndarray  # [rows, width] uint32, zero past sizes[r]
  sizes: np.ndarray  # [rows] int32, entries of each row, escape included
  offsets: np.ndarray  # [rows] int32, smallest symbol of each row


class MixtureTables(NamedTuple):
  """Integers from which the coder makes the frequencies of any mixture.

  Made and explained by `jaxlic.coding.mixture_tables`.
  """

  cdf: np.ndarray  # [n] uint32, the normal distribution function times 2^30
  reciprocals: np.ndarray  # [scales] uint32, 2^24 / scale, scales ascending
  centres: np.ndarray  # [scales, phases] int32, what a mean is rounded to
  weights: np.ndarray  # [weights] uint32, 0 first, then ascending


AnyTables = Tables | MixtureTables


class Prediction(NamedTuple):
  """What both sides know of a stage's latents before their symbols.

  Mixtures have a last axis of k components, asymmetric scales one of 2 sides.
  """

  mean: Any  # [b h w c] or [b h w c k] float32, in latent units
  scale: Any  # likewise, or [b h w c 2]; its meaning is the density's
  logits: Any = None  # [b h w c k] float32, log weights but for a constant
  companding: Any = None  # [b h w 2] float32: ln A, ln of the dynamic range


class Relaxed(NamedTuple):
  """A latent under the training surrogate."""

  coded: Any  # [b h w s] float32, what the density rates
  value: Any  # [b h w c] float32, what the context absorbs


class Quantizer(NamedTuple):
  """How a latent becomes symbols, and what stands for it in training."""

  surrogate: Callable  # (latent, prediction, keys, temperature) -> Relaxed;
  # keys [b]: an image's noise depends on its own key alone; temperature is
  # that of surrogates that anneal towards rounding at 0, others ignore it
  to_symbols: Callable  # (latent, prediction) -> int32 [b h w s]; s = c, but
  # for lattices
  from_symbols: Callable  # (symbols, prediction) -> float32 [b h w c]
  coded: Callable | None = None  # (symbols, prediction) -> float32 [b h w s],
  # what the density rates; None: `from_symbols`


class Density(NamedTuple):
  """The probability of a stage's symbols."""

  bits: Callable  # (params, coded, prediction) -> float32 [b h w s]
  rows: Callable  # (prediction) -> int32 [b h w c], a row of the tables, or
  # [b h w c k], its indices, or [b h w c 3k], the parameters of a mixture
  close: Callable | None  # (prediction) -> bool, as `rows`: those that another
  # device's rounding errors could change; None where rows are no floats
  freeze: Callable  # (params) -> AnyTables
  # Each (rows [n c], symbols [n t]) -> int32 [n s], numpy: a table row for the
  # next s symbols of n positions, given those before. Without, `rows` are those
  # of the tables, one for each symbol.
  planes: tuple[Callable, ...] = ()
  # As `bits`, in training, where that has another rate than files have.
  bound: Callable | None = None


@dataclasses.dataclass(frozen=True)
class StageSpec:
  """Static facts of a stage: the key of its latent, and the latent's shape."""

  name: str
  stride: int  # pixels of the image per latent position
  channels: int


class Order(NamedTuple):
  """How the positions of a stage follow each other, group after group.

  The positions of a group are coded together, each given its neighbours in
  earlier groups; those in its own and in later groups, and those outside the
  image, count as 0.
  """

  groups: Callable  # (grid (h, w)) -> int32 [h w], numpy: 0..n-1, none empty
  taps: tuple[tuple[int, int], ...]  # (down, right) of t neighbours
  refine: Callable  # (params, features [b h w f], neighbours [b h w t c],
  # groups [h w]) -> Prediction; position by position, so that it also takes
  # n positions as [1 n 1 ...]


class Stage(NamedTuple):
  """A group of latents that is coded together, or, with an order, in turn."""

  spec: StageSpec
  quantizer: Quantizer
  density: Density
  predict: Callable  # (params, context, grid (h, w)) -> Prediction, or, with
  # an order, the features [b h w f] that it refines to one
  absorb: Callable  # (params, context, y_hat, grid (h, w)) -> context
  order: Order | None = None


@dataclasses.dataclass(frozen=True)
class ModelSpec:
  """Static facts of a model."""

  name: str
  stride: int  # images are padded to a multiple of this many pixels
  levels: int = 0  # trained quality levels; 0: one rate, quality is ignored
  lambdas: tuple[float, ...] = ()  # weight of 255^2 * MSE at each level
  ms_ssim_lambdas: tuple[float, ...] = ()  # weight of 1 - MS-SSIM, likewise;
  # () if none is published
  quality_map: bool = False  # images have a fourth channel, see quality_maps.py

  @property
  def inputs(self) -> int:
    """The channels of the images that are analysed."""
    return 4 if self.quality_map else 3

  @property
  def max_quality(self) -> int:
    """The best quality; 0 for models of one rate."""
    return max(self.levels - 1, 0)


class Model(NamedTuple):
  """A codec as a researcher writes it, once per paper."""

  spec: ModelSpec
  init: Callable  # (key) -> params
  analyze: Callable  # (params, image [b H W inputs], rate [b]) -> y [b h w c]
  latents: Callable  # (params, y, rate) -> {stage name: what it codes}
  stages: tuple[Stage, ...]
  synthesize: Callable  # (params, context) -> image [b H W 3]


class Outcome(NamedTuple):
  """Images as a decoder would show them, and what they cost."""

  image: Any  # [b H W 3] float32, or [H W 3]
  bits: dict[str, Any]  # per stage: [b] float32, or a float


class Payload(NamedTuple):
  """What an encoder made of one image."""

  height: int
  width: int
  rate: float  # continuous quality, 0 for models of one rate
  check: int  # CRC-16 of all symbols: tells a decoder that it went astray
  data: bytes


@dataclasses.dataclass(frozen=True)
class Bitstream:
  """A parsed file: every header field, and the payload."""

  version: int
  model: str  # name of the codec that wrote it
  fingerprint: int  # 32-bit hash of that codec's weights and tables
  height: int
  width: int
  rate: float
  grey: bool
  check: int
  icc_profile: bytes | None
  data: bytes


class Codec(NamedTuple):
  """What everybody else uses; made by `codec.make(model)`. Pure functions."""

  init: Callable  # (key) -> params
  apply: Callable  # (params, images, rate, keys [b], temperature=1.0,
  # quality_map=None) -> Outcome, differentiable
  evaluate: Callable  # (params, image, rate, quality_map=None) -> Outcome,
  # quantized
  freeze: Callable  # (params) -> {stage name: AnyTables}
  encode: Callable  # (params, tables, image, rate, quality_map=None) -> Payload
  decode: Callable  # (params, tables, payload) -> image [H W 3]
