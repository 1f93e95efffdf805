"""Codecs on disk: what they are, their parameters and tables.

A codec's folder holds three files, which `load` checks against their
fingerprint:

| file | holds |
|---|---|
| codec.json | name, architecture, its options, fingerprint |
| weights.npz | the parameters by path, in half precision or in single |
| tables.npz | the integer tables, made once when the codec was exported |
"""

import contextlib
import functools
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from jaxlic import codec, models
from jaxlic.coding import container
from jaxlic.data import output
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, Codec, ModelSpec, Params
from jaxlic.zoo import arrays, ensemble

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
  force: bool = False,
) -> Trained:
  """Freezes the tables, writes a codec's folder, and loads it back.

  Args:
    folder: Where it goes; it is made if there is none.
    name: What every file will say wrote it.
    architecture: The model's name in the registry.
    options: What `models.make` takes beside it.
    params: The model's parameters.
    dtype: What they are stored in, "float16" or "float32".
    tables: Each stage's; by default those of the parameters as stored.
    force: As in `check_folder`.

  Raises:
    JaxlicError: If a file could not hold the name, the weights are not finite,
      or the folder cannot or must not be written.
  """
  check_folder(folder, force=force)
  container.check_model(name)
  weights = arrays.from_params(params, np.dtype(dtype))
  _, built = functions_of(architecture, options)
  frozen = arrays.from_tables(tables or built.freeze(arrays.to_params(weights)))
  about = {"name": name, "architecture": architecture, "options": options}
  about["fingerprint"] = arrays.fingerprint(about, weights, frozen)
  output.make_folder(folder)
  _write(
    Path(folder),
    {
      "weights.npz": arrays.to_npz(weights),
      "tables.npz": arrays.to_npz(frozen),
      "codec.json": (json.dumps(about, indent=1) + "\n").encode(),
    },
  )
  return load(folder)


def load(folder: str | Path) -> Trained:
  """Returns the codec that `export` wrote into a folder.

  Raises:
    JaxlicError: If a file is missing or damaged, or does not fit the others.
  """
  _check_complete(folder)
  try:
    about = json.loads(Path(folder, "codec.json").read_text())
    weights = arrays.read_npz(Path(folder, "weights.npz"))
    frozen = arrays.read_npz(Path(folder, "tables.npz"))
    fingerprint = int(about.pop("fingerprint"))
    sound = fingerprint == arrays.fingerprint(about, weights, frozen)
    spec, built = functions_of(about["architecture"], about["options"])
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
    params=arrays.to_params(weights),
    tables=arrays.to_tables(frozen),
  )


def check_folder(folder: str | Path, *, force: bool = False) -> None:
  """Checks that a codec may be written into a folder.

  Of what the folder holds, a codec may be replaced, and no other file of one of
  the names.

  Raises:
    JaxlicError: If there is such a file, and `force` is not set, or one that
      may not be written to; or if the folder is a file.
  """
  if Path(folder).exists() and not Path(folder).is_dir():
    raise JaxlicError(f"{folder}: is a file, no folder; give another path")
  kind = output.Kind("part of a codec", (), lambda p: _holds_codec(p.parent))
  for file in FILES:
    if Path(folder, file).exists():
      output.check_target(Path(folder, file), kind, force=force)


def _write(folder: Path, contents: dict[str, bytes]) -> None:
  """Writes all files before any of them takes the place of another."""
  with contextlib.ExitStack() as stack:
    for file, data in contents.items():
      temporary = stack.enter_context(output.replacing(folder / file))
      temporary.write_bytes(data)


def _holds_codec(folder: Path) -> bool:
  try:
    about = json.loads((folder / "codec.json").read_text())
  except (OSError, ValueError, RecursionError):
    return False
  return isinstance(about, dict) and {"architecture", "fingerprint"} <= {*about}


def size_bytes(folder: str | Path) -> int:
  """Returns the size on disk of a codec's folder."""
  return sum(Path(folder, file).stat().st_size for file in FILES)


def _check_complete(folder: str | Path) -> None:
  for file in FILES:
    if not Path(folder, file).is_file():
      raise JaxlicError(
        f"a codec's folder holds {', '.join(FILES)}; {folder} has no {file}: "
        "name an embedded codec or a folder made by an export"
      )


def functions_of(
  architecture: str, options: dict[str, Any]
) -> tuple[ModelSpec, Codec]:
  """Returns the functions of an architecture, shared to be compiled once.

  Raises:
    JaxlicError: As `models.make` and `codec.check_rows`.
  """
  # A model of a user's own may be defined anew.
  maker = models.MODELS.get(architecture)
  return _functions_of(architecture, json.dumps(options), maker)


@functools.lru_cache(maxsize=32)
def _functions_of(
  architecture: str, options: str, maker: Callable | None
) -> tuple[ModelSpec, Codec]:
  keywords = json.loads(options)
  if architecture == ENSEMBLE:
    members = [
      models.make(member["architecture"], **member["options"])
      for member in keywords["members"]
    ]
    spec = ensemble.spec_of([m.spec for m in members], keywords["lambdas"])
    return spec, ensemble.make(spec, members)
  model = models.make(architecture, **keywords)
  codec.check_rows(model)
  return model.spec, codec.make(model)
