"""Symbols of which some tell the table rows of others.

Each position has symbols in planes, one after another: a plane's table rows are
integers made from the rows that were predicted and the symbols before.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from jaxlic.coding import range_coder

Planes = Sequence[Callable]  # see `jaxlic.types.Density.planes`


def push(
  encoder: range_coder.Encoder,
  symbols: Int[np.ndarray, "n s"],
  rows: Int[np.ndarray, "n c"],
  models: range_coder.Models,
  planes: Planes,
) -> None:
  """Codes the symbols of n positions, a push per plane."""
  start = 0
  for plane in planes:
    part = plane(rows, symbols[:, :start])
    stop = start + part.shape[1]
    encoder.push(symbols[:, start:stop].ravel(), part.ravel(), models)
    start = stop


def pop(
  decoder: range_coder.Decoder,
  rows: Int[np.ndarray, "n c"],
  models: range_coder.Models,
  planes: Planes,
) -> Int[np.ndarray, "n s"]:
  """Returns the symbols of one push.

  Raises:
    JaxlicError: As `range_coder.Decoder.pop`.
  """
  symbols = np.zeros((len(rows), 0), np.int32)
  for plane in planes:
    part = plane(rows, symbols)
    values = decoder.pop(part.ravel(), models).reshape(part.shape)
    symbols = np.concatenate([symbols, values], 1)
  return symbols
