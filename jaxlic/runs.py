"""What a training leaves in its directory, and finds there when it resumes.

| file | holds |
|---|---|
| config.json | the configuration |
| versions.json | of every package that matters, and the devices |
| checkpoints/STEP/ | an Orbax checkpoint: state, average, data, metrics |

Checkpoints hold arrays of the host, each once, so that a run continues on
another number of devices or hosts. For the same reason the position in the data
is the number of the next example and not the state of each process's iterator.
Saving goes on beside the training; a checkpoint has its name only once it is
whole. The last two are kept, and the one with the least loss.
"""

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from jaxlic import __version__
from jaxlic.data import output
from jaxlic.training import State
from jaxlic.types import JaxlicError, Params

PACKAGES = "jax jaxlib flax optax orbax-checkpoint grain numpy constriction"
# Fields that change neither the result nor the shape of a state.
FREE = (
  "checkpoint_every",
  "data.folder",
  "data.threads",
  "data.workers",
  "eval",
  "log_every",
)


class Restored(NamedTuple):
  """Where a run stands."""

  state: State
  next_example: int  # the first one that the state has not seen


class Run:
  """One training's directory; used by all of its processes alike.

  Raises:
    JaxlicError: If the directory cannot be written, or holds a run of another
      configuration.
  """

  def __init__(
    self, workdir: str | Path, config: Any, *, main: bool, change: bool = False
  ):
    self.folder = Path(workdir).absolute()
    text = config.to_json(indent=1)
    check_same(self.folder, json.loads(text), change=change)
    output.make_folder(self.folder)
    if main:
      output.write_bytes(self.folder / "config.json", text.encode())
      about = json.dumps(versions(), indent=1) + "\n"
      output.write_bytes(self.folder / "versions.json", about.encode())
    keep = ocp.training.preservation_policies
    self._checkpointer = ocp.training.Checkpointer(
      self.folder / "checkpoints",
      cleanup_tmp_directories=True,
      save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(
        1
      ),
      preservation_policy=keep.AnyPreservationPolicy(
        [
          keep.LatestN(2),
          keep.BestN(
            get_metric_fn=lambda metrics: -metrics["loss"],
            n=1,
            keep_checkpoints_without_metrics=False,
          ),
        ]
      ),
    )

  @property
  def latest(self) -> int | None:
    """The step of the last checkpoint."""
    found = self._checkpointer.latest
    return None if found is None else found.step

  def restore(self, state: State) -> Restored | None:
    """Returns the last state saved, of the shapes given; None if there is none.

    Raises:
      JaxlicError: If it cannot be read, or is of another shape.
    """
    if self.latest is None:
      return None
    parts = _parts(Restored(state, 0))
    try:
      found = self._checkpointer.load_checkpointables(None, parts)
    except Exception as error:  # Orbax raises many kinds
      raise JaxlicError(
        f"the checkpoint {self.latest} in {self.folder} cannot be read "
        f"({_line(error)}); remove its folder to go on from the one before, or "
        "give another --workdir"
      ) from error
    state = found["state"]._replace(average=found["average"])
    state = state._replace(key=jax.random.wrap_key_data(state.key))
    return Restored(state, int(found["data"]["next_example"]))

  def save(
    self, state: State, next_example: int, *, loss: float | None = None
  ) -> None:
    """Begins to save a state under its step, unless that is saved already.

    Args:
      state: On this process's devices; copied before this returns.
      next_example: The number of the first example that it has not seen.
      loss: What the best checkpoint has least of.

    Raises:
      JaxlicError: If this or the last save could not be written.
    """
    step = int(state.step)
    if self.latest == step:
      return
    known = loss is not None and np.isfinite(loss)
    self._guarded(
      lambda: self._checkpointer.save_checkpointables_async(
        step,
        _parts(Restored(state, next_example)),
        metrics={"loss": float(loss)} if known else None,
      )
    )

  def sound(self) -> Path | None:
    """Returns the last whole checkpoint on disk."""
    whole = (self.folder / "checkpoints").glob("*/commit_success.txt")
    steps = [int(path.parent.name) for path in whole]
    return self.folder / f"checkpoints/{max(steps)}" if steps else None

  def __enter__(self) -> "Run":
    return self

  def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
    """Waits for the last save.

    Raises:
      JaxlicError: If it could not be written.
    """
    self._guarded(self._checkpointer.close)

  def _guarded(self, function) -> None:
    try:
      function()
    except Exception as error:  # Orbax raises what TensorStore does
      raise JaxlicError(
        f"cannot save to {self.folder} ({_line(error)}); free some space and "
        f"start again: the last whole checkpoint is {self.sound() or 'none'}"
      ) from error


def load_average(
  workdir: str | Path, *, step: int | str = "last"
) -> tuple[dict[str, Any], Params]:
  """Returns a run's configuration, and a saved moving average.

  Nothing in the directory is changed; the run may be going on.

  Args:
    workdir: Of the run.
    step: "last", "best" (of the least loss), or the number of a checkpoint.

  Raises:
    JaxlicError: If the directory is not of a run, or has no such checkpoint.
  """
  folder = Path(workdir).absolute() / "checkpoints"
  try:
    config = json.loads((folder.parent / "config.json").read_text())
    config["model"]["options"]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise JaxlicError(
      f"{workdir} has no config.json of a run ({error}); name the workdir of "
      "train.py"
    ) from error
  # Only of a folder that exists: the checkpointer would make it.
  if not folder.is_dir():
    raise _no_checkpoint(workdir, step, [])
  with ocp.training.Checkpointer(folder) as checkpointer:
    losses = {
      found.step: found.metrics and found.metrics["loss"]
      for found in checkpointer.checkpoints
    }
    chosen = _choose(losses, step)
    if chosen is None:
      raise _no_checkpoint(workdir, step, losses)
    found = checkpointer.load_checkpointables(chosen, {"average": None})
  return config, found["average"]


def versions() -> dict[str, str]:
  """Returns the versions of what a result depends on."""
  device = jax.devices()[0]
  found = {p: importlib.metadata.version(p) for p in PACKAGES.split()}
  return (
    {"jaxlic": __version__}
    | found
    | {
      "python": platform.python_version(),
      "platform": platform.platform(),
      "devices": f"{jax.device_count()} {device.platform} {device.device_kind}",
      "processes": str(jax.process_count()),
    }
  )


def check_same(folder: Path, config: dict[str, Any], *, change: bool) -> None:
  """Refuses a directory whose run another configuration cannot continue.

  With `change`, all but the model may differ.

  Raises:
    JaxlicError: Naming the first field that differs.
  """
  path = folder / "config.json"
  if not path.is_file():
    return
  try:
    before = _flat(json.loads(path.read_text()))
  except ValueError as error:
    raise JaxlicError(
      f"{path} is no configuration ({error}); give another --workdir"
    ) from error
  now = _flat(config)
  for field in sorted(before.keys() | now.keys()):
    old, new = before.get(field), now.get(field)
    fixed = field.startswith("model.")
    free = change or any(f"{field}.".startswith(f"{f}.") for f in FREE)
    if old != new and (fixed or not free):
      way = "" if fixed else ", or --change_config to go on with the new one"
      raise JaxlicError(
        f"{folder} holds a run with {field} {old}, not {new}; give another "
        f"--workdir{way}"
      )


def _parts(restored: Restored) -> dict[str, Any]:
  """What is saved under each name, as arrays of the host."""
  state = restored.state
  state = state._replace(key=jax.random.key_data(state.key), average=None)
  return {
    "state": jax.tree.map(_on_host, state),
    "average": jax.tree.map(_on_host, restored.state.average),
    "data": {"next_example": restored.next_example},
  }


def _on_host(array: Any) -> np.ndarray:
  # A copy: the next step may take over the memory of what it is given.
  return np.array(array.addressable_data(0))


def _choose(losses: dict[int, float | None], step: int | str) -> int | None:
  if step == "last":
    return max(losses, default=None)
  if step == "best":
    rated = {s: loss for s, loss in losses.items() if loss is not None}
    return min(rated, key=rated.get, default=None)
  return int(step) if int(step) in losses else None


def _no_checkpoint(workdir, step, found) -> JaxlicError:
  if not found:
    return JaxlicError(
      f"{workdir} holds no checkpoint of a run; train until it saves one"
    )
  return JaxlicError(
    f"{workdir} has no checkpoint {step}, but {', '.join(map(str, found))}; "
    "choose one of them"
  )


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
  if not isinstance(config, dict):
    return {prefix: config}
  return {
    field: value
    for name, inner in config.items()
    for field, value in _flat(inner, f"{prefix}.{name}".strip(".")).items()
  }


def _line(error: BaseException) -> str:
  return " ".join(str(error).split())[:200]
