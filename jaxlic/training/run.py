"""What a training leaves in its directory, and finds there when it resumes.

`checkpoints/STEP/` are Orbax checkpoints: state, average, data, metrics. What
is beside them is that of `workdir` and `logs`.

Checkpoints hold arrays of the host, each once, so that a run continues on
another number of devices or hosts. For the same reason the position in the data
is the number of the next example and not the state of each process's iterator.
"""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlic.data import output
from jaxlic.errors import JaxlicError, one_line
from jaxlic.training import checkpoints, workdir
from jaxlic.training.checkpoints import Checkpoints, on_host
from jaxlic.training.config import to_json
from jaxlic.training.step import State
from jaxlic.types import Params

TREES = "state", "average", "data"  # of each checkpoint


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
      of another configuration, or a loss that is damaged.
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
    self._config = to_json(config)
    self._main, self._photographs = main, photographs
    workdir.check_same(self.folder, json.loads(self._config), change=change)
    checkpoints.check_losses(self.folder / "checkpoints")
    output.make_folder(self.folder)
    self._lock = workdir.lock(self.folder) if main else None
    self._checkpoints = Checkpoints(self.folder / "checkpoints")

  @property
  def latest(self) -> int | None:
    """The step of the last checkpoint."""
    return self._checkpoints.latest

  def sound(self) -> Path | None:
    """Returns the last whole checkpoint on disk."""
    return checkpoints.sound(self.folder / "checkpoints")

  def restore(self, state: State) -> Restored | None:
    """Returns the last state saved, of the shapes given; None if there is none.

    Raises:
      JaxlicError: If it cannot be read, or is of another shape.
    """
    if self.latest is None:
      return None
    like = self._trees(state, 0)
    try:
      saved = self._checkpoints.load(like)
    except JaxlicError as error:
      raise self._not_loaded(error) from error
    if jax.tree.map(np.shape, saved) != jax.tree.map(np.shape, like):
      raise self._of_another_kind()
    self._compare_photographs(int(saved["data"]["photographs"]))
    state = saved["state"]._replace(average=saved["average"])
    state = state._replace(key=jax.random.wrap_key_data(state.key))
    return Restored(state, int(saved["data"]["next_example"]))

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
    trees = self._trees(state, next_example)
    known = loss is not None and np.isfinite(loss)
    try:
      self._checkpoints.save(
        step, trees, float(loss) if known else None, wait=wait
      )
    except Exception as error:
      raise self._not_saved(error) from error

  def __enter__(self) -> "Run":
    return self

  def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
    """Waits for the last save.

    Raises:
      JaxlicError: If it could not be written.
    """
    try:
      self._checkpoints.close()
    except Exception as error:
      raise self._not_saved(error) from error
    finally:
      if self._lock:
        self._lock.close()

  def _trees(self, state: State, next_example: int) -> checkpoints.Trees:
    """What is saved under each name, as arrays of the host."""
    kept = state._replace(key=jax.random.key_data(state.key), average=None)
    return {
      "state": on_host(kept),
      "average": on_host(state.average),
      "data": {"next_example": next_example, "photographs": self._photographs},
    }

  def _not_saved(self, error: Exception) -> JaxlicError:
    return JaxlicError(
      f"cannot save to {self.folder} ({one_line(error)}); free some space and "
      f"start again: the last whole checkpoint is {self.sound() or 'none'}"
    )

  def _not_loaded(self, error: Exception) -> JaxlicError:
    """Says that the last checkpoint is damaged, or of another kind."""
    folder, last = self.folder / "checkpoints", self.latest
    try:
      self._checkpoints.load(dict.fromkeys(TREES))
    except JaxlicError as damage:
      before = checkpoints.readable(folder, TREES, but=last)
      way = "" if before is None else f"remove it to go on from {before}, or "
      return _damaged(
        folder / str(last), damage, before, f"{way}give another --workdir"
      )
    return self._of_another_kind()

  def _of_another_kind(self) -> JaxlicError:
    return JaxlicError(
      f"the checkpoint {self.latest} in {self.folder} is of another optimizer, "
      "loss or model than this configuration; go back to its own, or export it "
      "and begin in another --workdir with --config.start_from"
    )

  def _compare_photographs(self, before: int) -> None:
    if self._main and before != self._photographs:
      logging.warning(
        "the run was trained on %d photographs and goes on with %d: its "
        "examples are others than those of an undisturbed run",
        before,
        self._photographs,
      )


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
  config = _read_config(workdir)
  # Only of a folder that exists: Orbax would make it.
  losses = checkpoints.losses(folder) if folder.is_dir() else {}
  chosen = _choose(losses, step)
  if chosen is None:
    raise _no_checkpoint(workdir, step, losses)
  try:
    return config, checkpoints.load(folder, chosen, "average")
  except JaxlicError as error:
    other = checkpoints.readable(folder, ["average"], but=chosen)
    way = "restore a copy of it, or train anew"
    if other is not None:
      way = f"name it with --checkpoint {other}"
    raise _damaged(folder / str(chosen), error, other, way) from error


def _damaged(
  checkpoint: Path, error: JaxlicError, other: int | None, way: str
) -> JaxlicError:
  """Says what is wrong with a checkpoint, and which other one is sound."""
  sound = (
    "no other is sound" if other is None else f"checkpoint {other} is sound"
  )
  return JaxlicError(
    f"the checkpoint {checkpoint} is damaged ({error}); {sound}: {way}"
  )


def _read_config(workdir: str | Path) -> dict[str, Any]:
  path = Path(workdir).absolute() / "config.json"
  try:
    config = json.loads(path.read_text())
    config["model"]["options"]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise JaxlicError(
      f"{workdir} has no config.json of a run ({error}); name the workdir of "
      "train.py"
    ) from error
  return config


def _choose(losses: dict[int, float | None], step: int | str) -> int | None:
  if step == "last":
    return max(losses, default=None)
  if step == "best":
    rated = {s: loss for s, loss in losses.items() if loss is not None}
    return min(rated, key=rated.get, default=None)
  return int(step) if int(step) in losses else None


def _no_checkpoint(
  workdir: str | Path, step: int | str, losses: dict[int, float | None]
) -> JaxlicError:
  if not losses:
    return JaxlicError(
      f"{workdir} holds no checkpoint of a run; train until it saves one"
    )
  steps = ", ".join(map(str, losses))
  return JaxlicError(
    f"{workdir} has no checkpoint {step}, but {steps}; choose one of them"
  )
