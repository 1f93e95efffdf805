"""Parameters, tables and configurations on disk.

A run's training states are Orbax checkpoints. A finished codec is a directory
of three files, which `load` checks against their fingerprint:

| file | holds |
|---|---|
| codec.json | name, architecture, its options, fingerprint |
| weights.npz | the parameters in half precision, named by their path |
| tables.npz | the integer tables, made once when the codec was exported |
"""

import functools
import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import numpy as np

from jaxlic import codec, models, training
from jaxlic.coding import container
from jaxlic.coding import tables as integer_tables
from jaxlic.data import output
from jaxlic.training import State
from jaxlic.types import Codec, JaxlicError, Model, Params, Tables

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
  model: Model
  codec: Codec
  params: Params
  tables: dict[str, Tables]


def export(
  folder: str | Path,
  *,
  name: str,
  architecture: str,
  options: dict[str, Any],
  params: Params,
) -> Trained:
  """Freezes the tables, writes a codec's directory, and loads it back.

  The tables are made from the parameters as they are stored, in half
  precision.

  Raises:
    JaxlicError: If a file could not hold the name, or the directory cannot be
      written.
  """
  container.check_model(name)
  weights = _halved(params)
  _, built = _built(architecture, json.dumps(options))
  frozen = built.freeze(_nested(weights))
  arrays = _table_arrays(frozen)
  about = {"name": name, "architecture": architecture, "options": options}
  about["fingerprint"] = _fingerprint(about, weights, arrays)
  _make_folder(folder)
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
    model, built = _built(about["architecture"], json.dumps(about["options"]))
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
    model=model,
    codec=built,
    params=_nested(weights),
    tables=_tables(arrays),
  )


def size_bytes(folder: str | Path) -> int:
  """Returns the size on disk of a codec's directory."""
  return sum(Path(folder, file).stat().st_size for file in FILES)


def load_average(workdir: str | Path) -> tuple[dict[str, Any], Params]:
  """Returns a run's configuration, and its last saved moving average.

  Nothing in the directory is changed; the run may be going on.

  Raises:
    JaxlicError: If the directory is not of a run that has saved a state.
  """
  from orbax.checkpoint import v1 as ocp  # See Manager.

  folder = Path(workdir).absolute() / "checkpoints"
  config, state = _abstract_run(folder.parent)
  sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  abstract = jax.tree.map(lambda x: x.update(sharding=sharding), state)
  # Only of a folder that exists: the checkpointer would make it.
  checkpointer = folder.is_dir() and ocp.training.Checkpointer(folder)
  if not checkpointer or checkpointer.latest is None:
    raise JaxlicError(
      f"{workdir} holds no checkpoint of a run; train until it saves one"
    )
  state = checkpointer.load(None, abstract)
  checkpointer.close()
  return config, state.average


class Manager:
  """Saves and restores the training states of one run with Orbax.

  Raises:
    JaxlicError: If the directory cannot be written, or holds a run of another
      model or optimizer.
  """

  def __init__(self, workdir: str | Path, config: Any):
    # Orbax takes most of a second to import; only training needs it.
    from orbax.checkpoint import v1 as ocp

    root = Path(workdir).absolute()
    _make_folder(root)
    text = config.to_json(indent=1)
    _check_same_run(root, json.loads(text))
    output.write_bytes(root / "config.json", text.encode())
    self._checkpointer = ocp.training.Checkpointer(
      root / "checkpoints",
      cleanup_tmp_directories=True,
      preservation_policy=ocp.training.preservation_policies.LatestN(2),
    )

  def restore(self, state: State) -> State:
    """Returns the last state saved, or the one given where there is none."""
    if self._checkpointer.latest is None:
      return state
    abstract = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
      state,
    )
    return self._checkpointer.load(None, abstract)

  def save(self, state: State) -> None:
    """Saves the state under its step, unless that is saved already."""
    step, latest = int(state.step), self._checkpointer.latest
    if latest is None or latest.step != step:
      self._checkpointer.save(step, state)

  def close(self) -> None:
    """Waits for the last write."""
    self._checkpointer.close()


def _check_same_run(root: Path, config: dict[str, Any]) -> None:
  """Refuses a directory whose states another configuration cannot hold."""
  if not (root / "config.json").is_file():
    return
  before = json.loads((root / "config.json").read_text())
  shapes = ("model", before["model"], config["model"])
  groups = ("optimizer.slow", before["optimizer"]["slow"])
  for field, old, new in (shapes, (*groups, config["optimizer"]["slow"])):
    if old != new:
      raise JaxlicError(
        f"{root} holds a run with {field} {old}, not {new}; give another "
        "--workdir"
      )


def _halved(params: Params) -> dict[str, np.ndarray]:
  """The parameters by path, in half precision."""
  weights = {}
  for path, leaf in _flat(params).items():
    with np.errstate(over="ignore"):
      weights[path] = np.asarray(leaf, np.float16)
    if not np.isfinite(weights[path]).all():
      raise JaxlicError(
        f"weights are finite and below 65,504, {path} has others; the training "
        "diverged: export an earlier state"
      )
  return weights


def _make_folder(folder: str | Path) -> None:
  try:
    Path(folder).mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise JaxlicError(
      f"cannot make the folder {folder}: {error.strerror}; choose another"
    ) from error


@functools.lru_cache(maxsize=8)
def _built(architecture: str, options: str) -> tuple[Model, Codec]:
  """The functions of an architecture, shared so that they compile once."""
  model = models.make(architecture, **json.loads(options))
  return model, codec.make(model)


def _abstract_run(workdir: Path) -> tuple[dict[str, Any], State]:
  """A run's configuration, and the shapes of its state."""
  import ml_collections

  try:
    config = json.loads((workdir / "config.json").read_text())
    model, seed = config["model"], config["seed"]
    chain = training.optimizer(ml_collections.ConfigDict(config["optimizer"]))
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise JaxlicError(
      f"{workdir} has no config.json of a run ({error}); name the workdir of "
      "train.py"
    ) from error
  built = codec.make(models.make(model["name"], **model["options"]))
  return config, jax.eval_shape(lambda: training.init_state(built, chain, seed))


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


def _table_arrays(frozen: dict[str, Tables]) -> dict[str, np.ndarray]:
  """Arrays of all tables; stages that share a table name the same one."""
  arrays, numbers = {}, {}
  for stage, table in frozen.items():
    number = numbers.setdefault(id(table), len(numbers))
    arrays[f"stage/{stage}"] = np.array(number, np.int32)
    for name, array in integer_tables.to_arrays(table).items():
      arrays[f"{number}/{name}"] = array
  return arrays


def _tables(arrays: dict[str, np.ndarray]) -> dict[str, Tables]:
  """Inverse of `_table_arrays`."""
  stages = {k[6:]: int(v) for k, v in arrays.items() if k.startswith("stage/")}
  tables = {
    number: integer_tables.from_arrays(
      {
        name.partition("/")[2]: array
        for name, array in arrays.items()
        if name.startswith(f"{number}/")
      }
    )
    for number in set(stages.values())
  }
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
