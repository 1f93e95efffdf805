"""The integer tables of a checkpoint, or those that it would have."""

import numpy as np

from jaxlic.compressai import tables
from jaxlic.compressai.layouts import Layout, Weights
from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.types import Tables


def of_layout(weights: Weights, layout: Layout) -> dict[str, Tables]:
  """Returns each stage's tables, those of the checkpoint if it has any.

  Stages with the same numbers share one, as ELIC's groups do.

  Raises:
    JaxlicError: If they are not valid, or not as many as ours.
  """
  by_stage, by_content = {}, {}
  for stage, source in layout.tables.items():
    table = _of_source(weights, source)
    content = tuple((array.shape, array.tobytes()) for array in table)
    by_stage[stage] = by_content.setdefault(content, table)
  return by_stage


def _of_source(weights: Weights, source: str) -> Tables:
  """The tables of an entropy bottleneck or a Gaussian conditional."""
  arrays = {
    key.removeprefix(f"{source}."): array
    for key, array in weights.items()
    if key.startswith(f"{source}.")
  }
  is_density = "quantiles" in arrays
  if arrays.get(tables.BUFFERS[0], np.zeros(0)).size == 0:
    return tables.bottleneck(arrays) if is_density else tables.gaussian()
  kept = tables.read(arrays)
  rows = len(arrays["quantiles"]) if is_density else gaussian.LEVELS
  if len(kept.sizes) != rows:
    raise JaxlicError(
      f"{source} has {rows} tables, got {len(kept.sizes)}; import "
      "without --keep-tables"
    )
  _check_scales(source, arrays.get("scale_table", np.zeros(0)))
  return kept


def _check_scales(source: str, scales: np.ndarray) -> None:
  """Refuses tables for other scales than ours, where any are named."""
  ladder = gaussian.scale_ladder()
  if scales.size and not (
    scales.shape == ladder.shape and np.allclose(scales, ladder, 1e-2)
  ):
    raise JaxlicError(
      f"{source} has tables for {len(ladder)} scales from {gaussian.SCALE_MIN} "
      f"to {gaussian.SCALE_MAX:g}, got {scales.min():g} to {scales.max():g}; "
      "import without --keep-tables"
    )
