"""A checkpoint of CompressAI to a codec of ours.

The architecture and its widths follow from the names and shapes of the weights.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlic import models, zoo
from jaxlic.compressai import kept_tables, layouts, names, tables, torch_files
from jaxlic.compressai.layers import KINDS
from jaxlic.compressai.layouts import LAYOUTS, Layout, Weights
from jaxlic.compressai.sequences import Layer
from jaxlic.errors import JaxlicError
from jaxlic.types import Params, Tables

# A Gaussian conditional's buffer, and those of `tables`: not weights.
_BUFFERS = (*tables.BUFFERS, "scale_table")


class Imported(NamedTuple):
  """A model out of a checkpoint."""

  architecture: str  # its name in the registry
  options: dict[str, Any]  # of models.make
  params: Params  # float32
  tables: dict[str, Tables] | None  # those of the checkpoint, if asked for


def import_codec(
  path: str | Path,
  folder: str | Path,
  *,
  name: str,
  architecture: str | None = None,
  keep_tables: bool = False,
  force: bool = False,
) -> zoo.Trained:
  """Writes the codec of a checkpoint into a folder, and loads it.

  Args:
    path: A checkpoint of a model of CompressAI.
    folder: Where the codec goes; it is made if there is none.
    name: As in `zoo.export`.
    architecture: As in `convert`.
    keep_tables: As in `convert`.
    force: As in `zoo.export`.

  Raises:
    JaxlicError: As `torch_files.read`, `convert` and `zoo.export`.
  """
  weights = torch_files.read(path)
  try:
    imported = convert(weights, architecture, keep_tables=keep_tables)
  except JaxlicError as error:
    raise JaxlicError(f"{path}: {error}") from error
  return zoo.export(
    folder,
    name=name,
    architecture=imported.architecture,
    options=imported.options,
    params=imported.params,
    dtype="float32",
    tables=imported.tables,
    force=force,
  )


def convert(
  weights: Weights,
  architecture: str | None = None,
  *,
  keep_tables: bool = False,
) -> Imported:
  """Returns our model of a state dict.

  Args:
    weights: The arrays of a state dict, of this release or an older one.
    architecture: Its name; by default it follows from names and shapes.
    keep_tables: Return the state dict's integer tables, or where it was saved
      without, those that `update()` would make of it.

  Raises:
    JaxlicError: If names or shapes are not those of the architecture, or of
      any; or the tables are not valid.
  """
  weights = names.canonical(weights)
  architecture, options = infer(weights, architecture)
  layout = layouts.find(architecture, weights)
  params: dict[str, Any] = {}
  for layer in layout.layers:
    kind = KINDS[layer.kind]
    taken = {name: weights[f"{layer.source}.{name}"] for name in kind.names}
    _insert(params, layer.target, kind.convert(taken))
  kept = kept_tables.of_layout(weights, layout) if keep_tables else None
  return Imported(architecture, options, params, kept)


def parameter_count(trained: zoo.Trained) -> int:
  """Returns how many numbers a training would find; medians are none."""
  leaves = jax.tree_util.tree_leaves_with_path(trained.params)
  rests = trained.spec.rests
  return sum(leaf.size for path, leaf in leaves if path[-1].key not in rests)


def infer(
  weights: Weights, architecture: str | None = None
) -> tuple[str, dict[str, Any]]:
  """Returns the architecture of canonical weights, and its options.

  Raises:
    JaxlicError: As `convert`.
  """
  if architecture is not None and architecture not in LAYOUTS:
    raise JaxlicError(
      f"architectures that are imported are {', '.join(LAYOUTS)}, got "
      f"{architecture!r}; choose one of them, or none"
    )
  candidates = [architecture] if architecture else list(LAYOUTS)
  keys = {name: _keys(layouts.find(name, weights)) for name in candidates}
  given = {key for key in weights if not key.endswith(_BUFFERS)}
  named = [name for name in candidates if keys[name] == given]
  if not named:
    raise JaxlicError(_naming(given, keys))
  wrong = []
  for name in named:
    options = layouts.find(name, weights).options(weights)
    wrong.append(_mismatches(weights, name, options))
    if not wrong[-1]:
      return name, options
  closest = min(wrong, key=len)
  raise JaxlicError(
    f"{closest[0]}; a model of other shapes than CompressAI's is not supported"
  )


def _keys(layout: Layout) -> set[str]:
  """The names of an architecture's weights."""
  return {
    f"{layer.source}.{name}"
    for layer in layout.layers
    for name in KINDS[layer.kind].names
  }


def _naming(given: set[str], keys: dict[str, set[str]]) -> str:
  """What is wrong with the names, by the architecture they fit best."""
  closest = min(keys, key=lambda name: len(keys[name] ^ given))
  missing = sorted(keys[closest] - given)
  surplus = sorted(given - keys[closest])
  parts = [f"has no {missing[0]}"] if missing else []
  parts += [f"has {surplus[0]!a:.80}"] if surplus else []
  return (
    f"the weights are named as in {', '.join(keys)}; compared to "
    f"{closest}, the checkpoint {' and '.join(parts)}: give one of a model "
    "that is supported"
  )


def _mismatches(
  weights: Weights, architecture: str, options: dict[str, Any]
) -> list[str]:
  """The weights of other shapes than the architecture's, in words."""
  widths = ", ".join(f"{name} {value}" for name, value in options.items())
  mismatches = []
  shapes = _shapes(architecture, **options)
  for layer in layouts.find(architecture, weights).layers:
    ours = {k: v.shape for k, v in _part(shapes, layer).items()}
    for name, shape in KINDS[layer.kind].shapes(ours).items():
      given = weights[f"{layer.source}.{name}"].shape
      if given != shape:
        mismatches.append(
          f"{layer.source}.{name} of {architecture} has the shape {shape} at "
          f"{widths}, got {given}"
        )
  return mismatches


@functools.lru_cache(maxsize=8)
def _shapes(architecture: str, **options: Any) -> Params:
  """The shapes of an architecture's parameters; tracing takes a second."""
  model = models.make(architecture, **options)
  return jax.eval_shape(model.init, jax.random.key(0))


def _part(params: Params, layer: Layer) -> Params:
  for name in layer.target.split("/"):
    params = params[name]
  return params


def _insert(params: Params, path: str, arrays: Weights) -> None:
  """Puts arrays into nested dictionaries, as float32."""
  for name in path.split("/"):
    params = params.setdefault(name, {})
  for name, array in arrays.items():
    params[name] = np.ascontiguousarray(array, np.float32)
