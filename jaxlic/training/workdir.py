"""The directory of a run: whose it is, and what it says of the run.

| file | holds |
|---|---|
| config.json | the configuration |
| versions.json | a list, an entry per start: the step from which these |
|   | versions of the packages, and these devices, were used |
| .lock | nothing; locked while a process trains here |
"""

import fcntl
import importlib.metadata
import json
import logging
import platform
from pathlib import Path
from typing import IO, Any

import jax

from jaxlic import __version__
from jaxlic.data import output
from jaxlic.errors import JaxlicError
from jaxlic.training.config import Config, Model, to_json

# Another version of these may round differently.
EXACT = ("jax", "jaxlib")
PACKAGES = "jax jaxlib flax optax orbax-checkpoint grain numpy constriction"
# Fields that change neither the result nor the shape of a state. The same
# photographs may lie in another folder; their number is saved and compared.
# Not eval.split, which takes photographs from the training.
FREE = (
  "checkpoint_every",
  "data.folder",
  "data.threads",
  "data.workers",
  "eval.crop",
  "eval.every",
  "eval.folder",
  "eval.images",
  "eval.pictures",
  "log_every",
)


def lock(folder: Path) -> IO:
  """Takes a directory for this process, until it ends; returns what to close.

  Raises:
    JaxlicError: If another process has it.
  """
  try:
    file = open(folder / ".lock", "w")
  except OSError as error:
    raise JaxlicError(
      f"{folder}: cannot write ({error.strerror}); give another --workdir"
    ) from error
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    file.close()
    raise JaxlicError(
      f"{folder} is in use by another training; wait for its end, or give "
      "another --workdir"
    ) from error
  except OSError:  # a filesystem without locks
    pass
  return file


def check_same(folder: Path, config: dict[str, Any], *, change: bool) -> None:
  """Refuses a directory whose run another configuration cannot continue.

  With `change`, all but the model may differ. A field that is younger than the
  run had its default in it, which is what was done before there was a choice.

  Raises:
    JaxlicError: Naming the first field that differs.
  """
  path = folder / "config.json"
  if not path.is_file():
    return
  try:
    before = _defaults() | _flat(json.loads(path.read_text()))
  except ValueError as error:
    raise JaxlicError(
      f"{path} is no configuration ({error}); give another --workdir"
    ) from error
  now = _flat(config)
  # The model first: a run cannot go on with another at all.
  order = "model.name", *sorted(before.keys() | now.keys())
  for field in order:
    old, new = before.get(field), now.get(field)
    fixed = field.startswith("model.")
    free = change or any(f"{field}.".startswith(f"{f}.") for f in FREE)
    if old != new and (fixed or not free):
      way = "" if fixed else ", or --change_config to go on with the new one"
      raise JaxlicError(
        f"{folder} holds a run with {field} {old}, not {new}; give another "
        f"--workdir{way}"
      )


def describe(folder: Path, config: str, step: int) -> None:
  """Writes what a run goes on with from a step, and warns of what changed.

  Raises:
    JaxlicError: If it cannot be written.
  """
  output.write_bytes(folder / "config.json", config.encode())
  path, now = folder / "versions.json", versions()
  before = json.loads(path.read_text()) if path.is_file() else []
  for name in EXACT:
    old = before[-1][name] if before else now[name]
    if old != now[name]:
      logging.warning(
        "%s was %s until step %d and is %s now: the run goes on, but no longer "
        "bit for bit",
        name,
        old,
        step,
        now[name],
      )
  about = json.dumps([*before, {"from_step": step} | now], indent=1) + "\n"
  output.write_bytes(path, about.encode())


def versions() -> dict[str, str]:
  """Returns the versions of what a result depends on."""
  device = jax.devices()[0]
  packages = {p: importlib.metadata.version(p) for p in PACKAGES.split()}
  return (
    {"jaxlic": __version__}
    | packages
    | {
      "python": platform.python_version(),
      "platform": platform.platform(),
      "devices": f"{jax.device_count()} {device.platform} {device.device_kind}",
      "processes": str(jax.process_count()),
    }
  )


def _defaults() -> dict[str, Any]:
  """Each field's default; the model has none."""
  fields = _flat(json.loads(to_json(Config(model=Model("")))))
  return {k: v for k, v in fields.items() if not k.startswith("model.")}


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
  if not isinstance(config, dict):
    return {prefix: config}
  return {
    field: value
    for name, inner in config.items()
    for field, value in _flat(inner, f"{prefix}.{name}".strip(".")).items()
  }
