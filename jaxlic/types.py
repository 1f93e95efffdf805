"""The values that travel between jaxlic's layers.

A `Model` describes a codec once, as `Stage`s; `codec.make` derives training,
evaluation, encoding and decoding from it. Bundles of arrays or functions are
NamedTuples; static facts are frozen dataclasses, because `jit` would trace an
`int` inside a NamedTuple. The protocols say what each function takes and gives.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

Array = Any  # of JAX or NumPy; comments give shapes
Params = Any  # a nested dictionary of arrays
Context = dict[str, Any]  # what both sides know so far, and "quality"
Grid = tuple[int, int]  # positions of the image, each of a model's stride
DTYPES = ("float32", "bfloat16")  # in which a model's convolutions compute
# A pytree of arrays, most of them [b *positions ...]: what both sides know of a
# stage's latents before their symbols. What is in it is up to its quantizer and
# its density; most share a `Prediction`.
Known = Any


class Quality(NamedTuple):
  """The quality that is asked for: a level, and where it is wanted."""

  level: Array  # [b] float32, from 0 to the model's best; 0 for one rate
  map: Array | None = None  # [b H W] float32, see `jaxlic/quality.py`; None
  # for most models, and for decoders, which see none


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
  """A mean and a scale for every latent."""

  mean: Array  # [b *positions c] float32, in latent units
  scale: Array  # likewise, or with more axes; its meaning is the density's


class Relaxed(NamedTuple):
  """A latent as it is coded, or in training what stands for that."""

  coded: Array  # [b *positions s] float32, what the density rates
  value: Array  # [b *positions c] float32, what the context absorbs


@runtime_checkable
class Surrogate(Protocol):
  """What stands for quantization in training, differentiable."""

  def __call__(
    self, latent: Array, known: Known, /, keys: Array, temperature: Array
  ) -> Relaxed:
    """Returns the relaxed latent.

    `keys` is [b]: an image's noise depends on its own key alone. `temperature`
    is that of surrogates that anneal towards rounding at 0; others ignore it.
    """


@runtime_checkable
class ToSymbols(Protocol):
  """From latents to integers, [b *positions s] int32; s = c but for lattices.

  One of the two places where floats become integers.
  """

  def __call__(self, latent: Array, known: Known, /) -> Array:
    """Returns the symbols."""


@runtime_checkable
class FromSymbols(Protocol):
  """What a decoder makes of symbols."""

  def __call__(self, symbols: Array, known: Known, /) -> Relaxed:
    """Returns the decoded latent."""


class Quantizer(NamedTuple):
  """How a latent becomes symbols, and what stands for it in training."""

  surrogate: Surrogate
  to_symbols: ToSymbols
  from_symbols: FromSymbols


@runtime_checkable
class Bits(Protocol):
  """The cost of coded latents, differentiable."""

  def __call__(self, params: Params, coded: Array, known: Known, /) -> Array:
    """Returns bits, [b *positions s] float32."""


@runtime_checkable
class Rows(Protocol):
  """Which distribution codes each symbol.

  One of the two places where floats become integers.
  """

  def __call__(self, known: Known, /) -> Array:
    """Returns rows of the tables, [b *positions c] int32.

    Or, of mixtures, indices [b *positions c k] or parameters [b *positions c
    3k].
    """


@runtime_checkable
class NearEdge(Protocol):
  """Which rows another device's rounding errors could change."""

  def __call__(self, known: Known, /) -> Array:
    """Returns booleans, of the shape of `Rows`."""


@runtime_checkable
class Plane(Protocol):
  """The table rows of some of the symbols of n positions, in NumPy."""

  def __call__(self, rows: np.ndarray, symbols: np.ndarray, /) -> np.ndarray:
    """Returns rows [n s ...] for the next s symbols of each position.

    `rows` is [n c ...], as `Rows` gave them, and `symbols` [n t], the symbols
    of the planes before.
    """


def one_row_each(rows: np.ndarray, symbols: np.ndarray) -> np.ndarray:
  """Returns the rows: the plane of densities with one row for each symbol."""
  return rows


class ChannelRows(Protocol):
  """The table rows of symbols of which nothing is known but their channel."""

  def __call__(self, level: float, channels: int, /) -> np.ndarray:
    """Returns the rows [c] that `Rows` gives every position, in NumPy."""


class Density(NamedTuple):
  """The probability of a stage's symbols."""

  bits: Bits
  rows: Rows
  near_edge: NearEdge | None  # None where rows depend on no floats: checked
  freeze: Callable[[Params], AnyTables]
  planes: tuple[Plane, ...] = (one_row_each,)
  training_bits: Bits | None = None  # where training has another rate: a bound
  channel_rows: ChannelRows | None = None  # None where rows depend on more than
  # channel and level


@dataclasses.dataclass(frozen=True)
class StageSpec:
  """Static facts of a stage: the key of its latent [b *positions channels]."""

  name: str
  stride: int | None  # pixels of the image per position; None: the positions
  # have nothing to do with the image's
  channels: int
  axes: int = 2  # of the positions
  side: bool = False  # whether it tells of other latents, not of the image


@runtime_checkable
class Refine(Protocol):
  """From features and decoded neighbours to what is known of positions."""

  def __call__(
    self, params: Params, features: Array, neighbours: Array, groups: Array, /
  ) -> Known:
    """Returns it, position by position.

    Takes features [b h w f], neighbours [b h w t c], groups [h w]; or n
    positions as [1 n 1 ...].
    """


class Order(NamedTuple):
  """How the positions of a stage follow each other, group after group.

  The positions of a group are coded together, each given its neighbours in
  earlier groups; those in its own and in later groups, and those outside the
  image, count as 0. A checkerboard of two stages is another thing, see
  models/parts/channel_groups.py.
  """

  groups: Callable[[Grid], np.ndarray]  # int32 [h w]: 0..n-1, none empty
  taps: tuple[tuple[int, int], ...]  # (down, right) of t neighbours
  refine: Refine


@runtime_checkable
class Predict(Protocol):
  """From what is known of the image to what is known of a stage's latents."""

  def __call__(self, params: Params, context: Context, grid: Grid, /) -> Known:
    """Returns it, or, with an order, the features that it refines."""


@runtime_checkable
class Absorb(Protocol):
  """Adds a decoded latent to what is known of the image."""

  def __call__(
    self, params: Params, context: Context, y_hat: Array, grid: Grid, /
  ) -> Context:
    """Returns a new context."""


class Stage(NamedTuple):
  """A group of latents that is coded together, or, with an order, in turn."""

  spec: StageSpec
  quantizer: Quantizer
  density: Density
  predict: Predict
  absorb: Absorb
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
  takes_map: bool = False  # whether the encoder sees a map of quality
  rests: tuple[str, ...] = ()  # last names of parameters that no gradient
  # changes
  opens: tuple[str, ...] = ()  # the path of a mask [c] of ones and zeros that
  # a training may open; () without one

  @property
  def max_quality(self) -> int:
    """The best quality; 0 for models of one rate."""
    return max(self.levels - 1, 0)


@runtime_checkable
class Analyze(Protocol):
  """From the image to what latents are made of."""

  def __call__(self, params: Params, image: Array, quality: Quality, /) -> Any:
    """Returns y, or whatever `latents` takes, of images [b H W 3]."""


@runtime_checkable
class Latents(Protocol):
  """From what the analysis gives to what the stages code."""

  def __call__(
    self, params: Params, y: Any, quality: Quality, /
  ) -> dict[str, Array]:
    """Returns the latent of every stage, by name."""


@runtime_checkable
class Synthesize(Protocol):
  """From what is known in the end to the image."""

  def __call__(self, params: Params, context: Context, /) -> Array:
    """Returns images [b H W 3]."""


class Model(NamedTuple):
  """A codec as a researcher writes it, once per paper."""

  spec: ModelSpec
  init: Callable[[Array], Params]  # of a key
  analyze: Analyze
  latents: Latents
  stages: tuple[Stage, ...]
  synthesize: Synthesize


class Outcome(NamedTuple):
  """Images as a decoder would show them, and what they cost."""

  image: Array  # [b H W 3] float32, or [H W 3]
  bits: dict[str, Any]  # per stage: [b] float32, or a float


class Coded(NamedTuple):
  """What a coder takes of a stage, of a batch: integers alone."""

  symbols: Array  # [b *positions s] int32
  # What the coder was told of each, as `Density.rows` and `near_edge` are; None
  # where symbols were read from files.
  rows: Array = None
  near_edge: Array = None


class Payload(NamedTuple):
  """What an encoder made of one image."""

  height: int
  width: int
  quality: float  # 0 for models of one rate
  check: int  # of all symbols, 32 bits, or of old files 16 that they fold to:
  # tells a decoder that it went astray
  data: bytes


@dataclasses.dataclass(frozen=True)
class Bitstream:
  """A parsed file: what its header says besides, and the payload."""

  version: int
  model: str  # name of the codec that wrote it
  fingerprint: int  # 32-bit hash of that codec's weights and tables
  grey: bool
  icc_profile: bytes | None
  payload: Payload
  exif: bytes | None = None  # a TIFF structure, as in PNG's eXIf chunk
  xmp: bytes | None = None  # the packet


class Codec(NamedTuple):
  """What everybody else uses; made by `codec.make(model)`. Pure functions."""

  init: Callable  # (key) -> params
  apply: Callable  # (params, images, Quality, keys [b], temperature=1.0) ->
  # Outcome, differentiable
  evaluate: Callable  # (params, image, quality, quality_map=None) -> Outcome,
  # quantized
  freeze: Callable  # (params) -> {stage name: AnyTables}
  encode: Callable  # (params, tables, image, quality, quality_map=None) ->
  # Payload
  decode: Callable  # (params, tables, payload) -> image [H W 3]
  # Of batches; `quantize` and `reconstruct` are for JAX to transform.
  quantize: Callable  # (params, images, quality [b], quality_map=None) ->
  # {stage name: Coded}
  reconstruct: Callable  # (params, symbols, quality [b], size) -> images
  push: Callable  # (tables, symbols, quality [b], size) -> [Payload]
  pop: Callable  # (params, tables, payloads) -> {stage name: Coded}
