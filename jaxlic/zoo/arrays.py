"""Parameters and tables as named arrays, which archives of NumPy hold."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlic.coding import mixture_tables
from jaxlic.coding import tables as integer_tables
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, MixtureTables, Params

Arrays = dict[str, np.ndarray]


def flat(params: Params) -> dict[str, Any]:
  """Returns the leaves of nested dictionaries by their path, "a/b/c"."""
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


def from_params(params: Params, dtype: np.dtype) -> Arrays:
  """Returns the parameters by path, in another type.

  Raises:
    JaxlicError: If it cannot hold one, or one is not finite.
  """
  weights = {}
  for path, leaf in flat(params).items():
    with np.errstate(over="ignore"):
      weights[path] = np.asarray(leaf, dtype)
    if not np.isfinite(weights[path]).all():
      raise JaxlicError(
        f"weights are finite and below {np.finfo(dtype).max:,.6g}, {path} has "
        "others; the training diverged: use an earlier state"
      )
  return weights


def to_params(weights: Arrays) -> Params:
  """Inverse of `from_params`, in single precision."""
  params: dict[str, Any] = {}
  for path, leaf in weights.items():
    *parents, last = path.split("/")
    node = params
    for parent in parents:
      node = node.setdefault(parent, {})
    node[last] = leaf.astype(np.float32)
  return params


def from_tables(tables: dict[str, AnyTables]) -> Arrays:
  """Returns the arrays of all tables; stages that share one name its number."""
  arrays, numbers = {}, {}
  for stage, table in tables.items():
    number = numbers.setdefault(id(table), len(numbers))
    arrays[f"stage/{stage}"] = np.array(number, np.int32)
    mixed = isinstance(table, MixtureTables)
    form = mixture_tables if mixed else integer_tables
    for name, array in form.to_arrays(table).items():
      arrays[f"{number}/{name}"] = array
  return arrays


def to_tables(arrays: Arrays) -> dict[str, AnyTables]:
  """Inverse of `from_tables`."""
  stages = {k[6:]: int(v) for k, v in arrays.items() if k.startswith("stage/")}
  tables = {}
  for number in set(stages.values()):
    fields = {
      name.partition("/")[2]: array
      for name, array in arrays.items()
      if name.startswith(f"{number}/")
    }
    form = mixture_tables if "cdf" in fields else integer_tables
    tables[number] = form.from_arrays(fields)
  return {stage: tables[number] for stage, number in stages.items()}


def fingerprint(about: dict[str, Any], *bundles: Arrays) -> int:
  """Returns a 32-bit hash of what JSON can write, and of arrays."""
  digest = hashlib.blake2b(digest_size=4)
  digest.update(json.dumps(about, sort_keys=True).encode())
  for bundle in bundles:
    for name, array in sorted(bundle.items()):
      digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
      digest.update(np.ascontiguousarray(array).tobytes())
  return int.from_bytes(digest.digest(), "little")


def to_npz(arrays: Arrays) -> bytes:
  """Returns the bytes of a compressed archive."""
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  return buffer.getvalue()


def read_npz(path: Path) -> Arrays:
  """Returns the arrays of an archive."""
  # From memory, since NumPy leaves files that are no archives open.
  return dict(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))
