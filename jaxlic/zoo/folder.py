"""Finished codecs on disk: what they are, their parameters and tables.

A codec is a directory of three files, which `load` checks against their
fingerprint:

| file | holds |
|---|---|
| codec.json | name, architecture, its options, fingerprint |
| weights.npz | the parameters by path, in half precision or in single |
| tables.npz | the integer tables, made once when the codec was exported |
"""

import functools
import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import numpy as np

from jaxlic import codec, models
from jaxlic.coding import container, mixture_tables
from jaxlic.coding import tables as integer_tables
from jaxlic.data import output
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, Codec, MixtureTables, ModelSpec, Params
from jaxlic.zoo import ensemble

ENSEMBLE = "ensemble"  # the architecture of codecs that are several
FILES = ("codec.json", "weights.npz", "tables.npz")
# What reading a damaged file raises, from JSON, NumPy and zip files.
_DAMAGE = (
  AttributeError,
  BadZipFile,
  EOFError,
  KeyError,
  NotImplementedError,
  OSError,
  TypeError,
  ValueError,
  zlib.error,
)


class Trained(NamedTuple):
  """A codec ready for use: what it is, its functions, weights and tables."""

  name: str
  architecture: str
  options: dict[str, Any]
  fingerprint: int  # 32-bit hash of weights and tables, kept in every file
  spec: ModelSpec
  codec: Codec
  params: Params
  tables: dict[str, AnyTables]


def export(
  folder: str | Path,
  *,
  name: str,
  architecture: str,
  options: dict[str, Any],
  params: Params,
  dtype: str = "float16",
  tables: dict[str, AnyTables] | None = None,
) -> Trained:
  """Freezes the tables, writes a codec's directory, and loads it back.

  Args:
    folder: The directory, which is made if there is none.
    name: What every file will say wrote it.
    architecture: The model's name in the registry.
    options: What `models.make` takes beside it.
    params: The model's parameters.
    dtype: What they are stored in, "float16" or "float32".
    tables: Each stage's; by default those of the parameters as stored.

  Raises:
    JaxlicError: If a file could not hold the name, the weights are not finite,
      or the directory cannot be written.
  """
  container.check_model(name)
  weights = _stored(params, np.dtype(dtype))
  _, built = _built(architecture, json.dumps(options))
  arrays = _table_arrays(tables or built.freeze(_nested(weights)))
  about = {"name": name, "architecture": architecture, "options": options}
  about["fingerprint"] = _fingerprint(about, weights, arrays)
  output.make_folder(folder)
  output.write_bytes(Path(folder, "weights.npz"), _npz(weights))
  output.write_bytes(Path(folder, "tables.npz"), _npz(arrays))
  text = json.dumps(about, indent=1) + "\n"
  output.write_bytes(Path(folder, "codec.json"), text.encode())
  return load(folder)


def load(folder: str | Path) -> Trained:
  """Returns the codec that `export` wrote into a directory.

  Raises:
    JaxlicError: If a file is missing or damaged, or does not fit the others.
  """
  for file in FILES:
    if not Path(folder, file).is_file():
      raise JaxlicError(
        f"a codec's folder holds {', '.join(FILES)}; {folder} has no {file}: "
        "name an embedded codec or a folder made by an export"
      )
  try:
    about = json.loads(Path(folder, "codec.json").read_text())
    weights = _read_npz(Path(folder, "weights.npz"))
    arrays = _read_npz(Path(folder, "tables.npz"))
    fingerprint = int(about.pop("fingerprint"))
    sound = fingerprint == _fingerprint(about, weights, arrays)
    spec, built = _built(about["architecture"], json.dumps(about["options"]))
  except JaxlicError:
    raise
  except _DAMAGE as error:
    raise JaxlicError(
      f"the codec in {folder} cannot be read ({error}); copy it again"
    ) from error
  if not sound:
    raise JaxlicError(
      f"the codec in {folder} does not match its fingerprint "
      f"{fingerprint:#010x}; copy it again"
    )
  return Trained(
    name=about["name"],
    architecture=about["architecture"],
    options=about["options"],
    fingerprint=fingerprint,
    spec=spec,
    codec=built,
    params=_nested(weights),
    tables=_tables(arrays),
  )


def join(
  folder: str | Path,
  *,
  name: str,
  members: Sequence[Trained],
  lambdas: Sequence[float] = (),
) -> Trained:
  """Writes codecs as one that codes each image with the best of them.

  Args:
    folder: As in `export`.
    name: As in `export`.
    members: The codecs, 2 to 256, none an ensemble.
    lambdas: As in `ensemble.spec_of`.

  Raises:
    JaxlicError: As `export` and `ensemble.spec_of`; or if the directory holds
      a codec.
  """
  if any(member.architecture == ENSEMBLE for member in members):
    raise JaxlicError(
      "members of an ensemble are no ensembles; give the members of each"
    )
  if Path(folder, "codec.json").exists():
    raise JaxlicError(
      f"an ensemble's folder holds no codec yet, {folder} does; give another"
    )
  spec = ensemble.spec_of([member.spec for member in members], lambdas)
  params = {str(k): member.params for k, member in enumerate(members)}
  return export(
    folder,
    name=name,
    architecture=ENSEMBLE,
    options={
      "members": [
        {"architecture": m.architecture, "options": m.options} for m in members
      ],
      "lambdas": list(spec.lambdas),
    },
    params=params,
    # As the members' were, so that they code as before.
    dtype="float16" if _halves(params) else "float32",
    tables=ensemble.join([member.tables for member in members]),
  )


def size_bytes(folder: str | Path) -> int:
  """Returns the size on disk of a codec's directory."""
  return sum(Path(folder, file).stat().st_size for file in FILES)


def _stored(params: Params, dtype: np.dtype) -> dict[str, np.ndarray]:
  """The parameters by path, in another type."""
  weights = {}
  for path, leaf in _flat(params).items():
    with np.errstate(over="ignore"):
      weights[path] = np.asarray(leaf, dtype)
    if not np.isfinite(weights[path]).all():
      raise JaxlicError(
        f"weights are finite and below {np.finfo(dtype).max:,.6g}, {path} has "
        "others; the training diverged: use an earlier state"
      )
  return weights


def _halves(params: Params) -> bool:
  """Whether half precision holds all parameters."""
  with np.errstate(over="ignore"):
    return all(
      np.array_equal(np.asarray(leaf, np.float16), leaf)
      for leaf in jax.tree.leaves(params)
    )


@functools.lru_cache(maxsize=8)
def _built(architecture: str, options: str) -> tuple[ModelSpec, Codec]:
  """The functions of an architecture, shared so that they compile once."""
  given = json.loads(options)
  if architecture == ENSEMBLE:
    made = [
      models.make(member["architecture"], **member["options"])
      for member in given["members"]
    ]
    spec = ensemble.spec_of([m.spec for m in made], given["lambdas"])
    return spec, ensemble.make(spec, made)
  model = models.make(architecture, **given)
  return model.spec, codec.make(model)


def _flat(params: Params) -> dict[str, Any]:
  """Leaves of nested dictionaries by their path, "a/b/c"."""
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return {"/".join(key.key for key in path): leaf for path, leaf in leaves}


def _nested(weights: dict[str, np.ndarray]) -> Params:
  """Inverse of `_flat`, in single precision."""
  params: dict[str, Any] = {}
  for path, leaf in weights.items():
    *parents, last = path.split("/")
    node = params
    for parent in parents:
      node = node.setdefault(parent, {})
    node[last] = leaf.astype(np.float32)
  return params


def _table_arrays(frozen: dict[str, AnyTables]) -> dict[str, np.ndarray]:
  """Arrays of all tables; stages that share a table name the same one."""
  arrays, numbers = {}, {}
  for stage, table in frozen.items():
    number = numbers.setdefault(id(table), len(numbers))
    arrays[f"stage/{stage}"] = np.array(number, np.int32)
    mixed = isinstance(table, MixtureTables)
    form = mixture_tables if mixed else integer_tables
    for name, array in form.to_arrays(table).items():
      arrays[f"{number}/{name}"] = array
  return arrays


def _tables(arrays: dict[str, np.ndarray]) -> dict[str, AnyTables]:
  """Inverse of `_table_arrays`."""
  stages = {k[6:]: int(v) for k, v in arrays.items() if k.startswith("stage/")}
  tables = {}
  for number in set(stages.values()):
    own = {
      name.partition("/")[2]: array
      for name, array in arrays.items()
      if name.startswith(f"{number}/")
    }
    form = mixture_tables if "cdf" in own else integer_tables
    tables[number] = form.from_arrays(own)
  return {stage: tables[number] for stage, number in stages.items()}


def _fingerprint(about: dict, *bundles: dict[str, np.ndarray]) -> int:
  digest = hashlib.blake2b(digest_size=4)
  digest.update(json.dumps(about, sort_keys=True).encode())
  for bundle in bundles:
    for name, array in sorted(bundle.items()):
      digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
      digest.update(np.ascontiguousarray(array).tobytes())
  return int.from_bytes(digest.digest(), "little")


def _read_npz(path: Path) -> dict[str, np.ndarray]:
  # From memory, since NumPy leaves files that are no archives open.
  return dict(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  return buffer.getvalue()
