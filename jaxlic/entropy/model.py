"""What an entropy model can do, whatever its densities."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxlic.types import AnyTables


class Frozen(NamedTuple):
  """What encoder and decoder share: keep it, with `pickle` for instance.

  Tables that are made anew may differ on another device, and with them what
  bytes mean.
  """

  tables: AnyTables
  median: np.ndarray | None = None  # [c] float32, of imported bottlenecks


class EntropyModel(NamedTuple):
  """Pure functions that know the density of arrays [... c].

  `prediction` stands for what predicts each element, by keywords: nothing for
  a bottleneck, see `jaxlic.entropy` for the others. `bits` and `quantize` can
  be traced; the others run on the host.
  """

  init: Callable  # (key) -> params; {} where nothing is learned
  bits: Callable  # (params, y, **prediction) -> bits [... c] of every element,
  # differentiable; y is noisy or quantized
  quantize: Callable  # (y, mode, *, means=None, key=None): for "noise" y plus
  # noise of the key, on [-1/2, 1/2); for "dequantize" what a decoder will have,
  # with a gradient of 1; for "symbols" the int32 that are coded
  freeze: Callable  # (params) -> Frozen
  compress: Callable  # (frozen, y, **prediction) -> bytes
  decompress: Callable  # (frozen, data, shape=None, **prediction) -> float32
  # [... c], to the last bit what "dequantize" gives; a bottleneck needs `shape`
