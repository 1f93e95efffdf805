"""Symbols of which some tell the table rows of others.

Each position has symbols in planes, one after another: a plane's table rows are
integers made from the rows that were predicted and the symbols before. Most
densities have one plane, whose rows are those predicted.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from jaxlic.coding import by_row
from jaxlic.errors import JaxlicError
from jaxlic.types import Plane


def push(
  encoder: by_row.Encoder,
  symbols: Int[np.ndarray, "n s"],
  rows: Int[np.ndarray, "m c *parameters"],
  models: by_row.AnyModels,
  planes: Sequence[Plane],
) -> None:
  """Codes the symbols of n positions, a push per plane.

  Raises:
    JaxlicError: If there are not as many positions of rows, or not as many
      symbols each as all planes have; or as `range_coder.Encoder.push`.
  """
  if len(rows) != len(symbols):
    raise JaxlicError(
      f"every position has rows, got {len(symbols)} positions of symbols and "
      f"{len(rows)} of rows; give them for each"
    )
  start = 0
  for plane in planes:
    part = plane(rows, symbols[:, :start])
    stop = start + part.shape[1]
    encoder.push(symbols[:, start:stop].ravel(), _one_each(part), models)
    start = stop
  if start != symbols.shape[1]:
    raise JaxlicError(
      f"the planes of this density have {start} symbols per position, got "
      f"{symbols.shape[1]}; give those of its quantizer"
    )


def pop(
  decoder: by_row.Decoder,
  rows: Int[np.ndarray, "n c *parameters"],
  models: by_row.AnyModels,
  planes: Sequence[Plane],
) -> Int[np.ndarray, "n s"]:
  """Returns the symbols of one push.

  Raises:
    JaxlicError: As `range_coder.Decoder.pop`.
  """
  symbols = np.zeros((len(rows), 0), np.int32)
  for plane in planes:
    part = plane(rows, symbols)
    values = decoder.pop(_one_each(part), models).reshape(part.shape[:2])
    symbols = np.concatenate([symbols, values], 1)
  return symbols


def _one_each(
  rows: Int[np.ndarray, "n s *parameters"],
) -> Int[np.ndarray, "m *parameters"]:
  return rows.reshape(-1, *rows.shape[2:])
