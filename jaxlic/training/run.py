"""What a training leaves in its directory, and finds there when it resumes.

`checkpoints/STEP/` are Orbax checkpoints: state, average, data, metrics. What
is beside them is that of `workdir` and `logs`.

Checkpoints hold arrays of the host, each once, so that a run continues on
another number of devices or hosts. For the same reason the position in the data
is the number of the next example and not the state of each process's iterator.
Saving goes on beside the training; a checkpoint has its name only once it is
whole. The last two are kept, and the one with the least loss.
"""

import contextlib
import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from jaxlic.data import output
from jaxlic.errors import JaxlicError, one_line
from jaxlic.training import State, workdir
from jaxlic.types import Params


class Restored(NamedTuple):
  """Where a run stands."""

  state: State
  next_example: int  # the first one that the state has not seen


class Run:
  """One training's directory; used by all of its processes alike.

  It changes nothing that is there until `restore` and `describe`.

  Args:
    folder: The directory, made if it is missing.
    config: The run's configuration.
    main: Whether this process writes what each process has; one does.
    change: Whether the configuration may differ from that of before.
    photographs: How many the run is trained on.

  Raises:
    JaxlicError: If the directory cannot be written, is in use, or holds a run
      of another configuration.
  """

  def __init__(
    self,
    folder: str | Path,
    config: Any,
    *,
    main: bool,
    change: bool = False,
    photographs: int = 0,
  ):
    self.folder = Path(folder).absolute()
    self._config = config.to_json(indent=1)
    self._main, self._photographs = main, photographs
    workdir.check_same(self.folder, json.loads(self._config), change=change)
    output.make_folder(self.folder)
    self._lock = workdir.lock(self.folder) if main else None
    self._checkpointer = _open(self.folder / "checkpoints")

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
    parts = self._parts(state, 0)
    try:
      found = self._checkpointer.load_checkpointables(None, parts)
    except Exception as error:  # Orbax raises many kinds
      if self._is_whole():
        raise self._of_another_kind() from error
      raise JaxlicError(
        f"the checkpoint {self.latest} in {self.folder} cannot be read "
        f"({one_line(error)}); remove its folder to go on from the one before, "
        "or give another --workdir"
      ) from error
    if jax.tree.map(np.shape, found) != jax.tree.map(np.shape, parts):
      raise self._of_another_kind()
    self._compare_photographs(int(found["data"]["photographs"]))
    state = found["state"]._replace(average=found["average"])
    state = state._replace(key=jax.random.wrap_key_data(state.key))
    return Restored(state, int(found["data"]["next_example"]))

  def describe(self) -> None:
    """Writes the configuration and the versions, once a run can begin or go on.

    Raises:
      JaxlicError: If they cannot be written.
    """
    if self._main:
      workdir.describe(self.folder, self._config, self.latest or 0)

  def save(
    self,
    state: State,
    next_example: int,
    *,
    loss: float | None = None,
    wait: bool = False,
  ) -> None:
    """Begins to save a state under its step, unless that is saved already.

    If this or the save before fails, the state is saved once more at once.

    Args:
      state: On this process's devices; copied before this returns.
      next_example: The number of the first example that it has not seen.
      loss: What the best checkpoint has least of.
      wait: Whether to return only once it is saved.

    Raises:
      JaxlicError: If it could not be written.
    """
    step = int(state.step)
    if self.latest == step:
      return
    parts = self._parts(state, next_example)
    known = loss is not None and np.isfinite(loss)
    metrics = {"loss": float(loss)} if known else None
    try:
      saving = self._checkpointer.save_checkpointables_async(
        step, parts, metrics=metrics
      )
      if wait:
        saving.result()
    except Exception as error:  # Orbax raises what TensorStore does
      if jax.process_count() > 1:  # the others wait for no second try
        raise self._not_saved(error) from error
      self._save_again(step, parts, metrics)

  def _save_again(self, step: int, parts: dict, metrics: Any) -> None:
    """Saves with a checkpointer that has no failure behind it."""
    with contextlib.suppress(Exception):
      self._checkpointer.close()
    try:
      self._checkpointer = _open(self.folder / "checkpoints")
      self._checkpointer.save_checkpointables(step, parts, metrics=metrics)
    except Exception as error:
      raise self._not_saved(error) from error

  def sound(self) -> Path | None:
    """Returns the last whole checkpoint on disk."""
    whole = (self.folder / "checkpoints").glob("*/commit_success.txt")
    # Orbax gives what is not finished other names.
    steps = [int(p.parent.name) for p in whole if p.parent.name.isdecimal()]
    return self.folder / f"checkpoints/{max(steps)}" if steps else None

  def __enter__(self) -> "Run":
    return self

  def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
    """Waits for the last save.

    Raises:
      JaxlicError: If it could not be written.
    """
    try:
      self._checkpointer.close()
    except Exception as error:
      raise self._not_saved(error) from error
    finally:
      if self._lock:
        self._lock.close()

  def _not_saved(self, error: Exception) -> JaxlicError:
    return JaxlicError(
      f"cannot save to {self.folder} ({one_line(error)}); free some space and "
      f"start again: the last whole checkpoint is {self.sound() or 'none'}"
    )

  def _of_another_kind(self) -> JaxlicError:
    return JaxlicError(
      f"the checkpoint {self.latest} in {self.folder} is of another optimizer, "
      "loss or model than this configuration; go back to its own, or export it "
      "and begin in another --workdir with --config.start_from"
    )

  def _is_whole(self) -> bool:
    """Whether the last checkpoint can be read, whatever it holds."""
    try:
      self._checkpointer.load_checkpointables(
        None, dict.fromkeys(("state", "average", "data"))
      )
    except Exception:
      return False
    return True

  def _compare_photographs(self, before: int) -> None:
    if self._main and before != self._photographs:
      logging.warning(
        "the run was trained on %d photographs and goes on with %d: its "
        "examples are others than those of an undisturbed run",
        before,
        self._photographs,
      )

  def _parts(self, state: State, next_example: int) -> dict[str, Any]:
    """What is saved under each name, as arrays of the host."""
    kept = state._replace(key=jax.random.key_data(state.key), average=None)
    return {
      "state": jax.tree.map(_on_host, kept),
      "average": jax.tree.map(_on_host, state.average),
      "data": {"next_example": next_example, "photographs": self._photographs},
    }


def load_average(
  workdir: str | Path, *, step: int | str = "last"
) -> tuple[dict[str, Any], Params]:
  """Returns a run's configuration, and a saved moving average.

  Nothing in the directory is changed; the run may be going on.

  Args:
    workdir: Of the run.
    step: "last", "best" (of the least loss), or the number of a checkpoint.

  Raises:
    JaxlicError: If the directory is not of a run, or has no such checkpoint, or
      that is damaged.
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
    try:
      found = checkpointer.load_checkpointables(chosen, {"average": None})
    except Exception as error:  # Orbax raises many kinds
      raise JaxlicError(
        f"the checkpoint {chosen} in {workdir} cannot be read "
        f"({one_line(error)}); choose another with --checkpoint, out of "
        f"{', '.join(map(str, losses))}"
      ) from error
  return config, found["average"]


def _open(folder: Path) -> ocp.training.Checkpointer:
  """A checkpointer that keeps the last two, and the one of the least loss."""
  keep = ocp.training.preservation_policies
  always = ocp.training.save_decision_policies.FixedIntervalPolicy(1)
  best = keep.BestN(
    get_metric_fn=lambda metrics: -metrics["loss"],
    n=1,
    keep_checkpoints_without_metrics=False,
  )
  return ocp.training.Checkpointer(
    folder,
    cleanup_tmp_directories=True,
    save_decision_policy=always,
    preservation_policy=keep.AnyPreservationPolicy([keep.LatestN(2), best]),
  )


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
