"""Checkpoints in a folder, by Orbax; each is a few named trees of host arrays.

Saving goes on beside the training; a checkpoint has its name only once it is
whole. The last two are kept, and the one of the least loss. Orbax raises errors
of many kinds: whoever calls catches every Exception.
"""

import contextlib
import gc
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from orbax.checkpoint import v1 as ocp

from jaxlic.errors import JaxlicError, one_line

Trees = dict[str, Any]


class Checkpoints:
  """Those of a run that goes on here; used by all of its processes alike.

  Args:
    folder: Made if it is missing; what is half written there is removed.
  """

  def __init__(self, folder: Path):
    self.folder = folder
    self._checkpointer = _open(folder)

  @property
  def latest(self) -> int | None:
    """The step of the last one."""
    last = self._checkpointer.latest
    return None if last is None else last.step

  def load(self, like: Trees) -> Trees:
    """Returns the last one, of the shapes given, or where None of its own.

    Raises:
      JaxlicError: With the reason, if it cannot be read.
    """
    return _read(lambda: self._checkpointer.load_checkpointables(None, like))

  def save(
    self, step: int, trees: Trees, loss: float | None, *, wait: bool
  ) -> None:
    """Begins to save; if this or the save before fails, does it once more.

    Args:
      step: Its name.
      trees: What is saved.
      loss: What the best one has least of; None if that is not known.
      wait: Whether to return only once it is saved.
    """
    metrics = None if loss is None else {"loss": loss}
    try:
      saving = self._checkpointer.save_checkpointables_async(
        step, trees, metrics=metrics
      )
      if wait:
        saving.result()
    except Exception:
      if jax.process_count() > 1:  # the others wait for no second try
        raise
      self._reopen()
      self._checkpointer.save_checkpointables(step, trees, metrics=metrics)

  def _reopen(self) -> None:
    """Takes a checkpointer that has no failure behind it."""
    with contextlib.suppress(Exception):
      self._checkpointer.close()
    self._checkpointer = _open(self.folder)

  def close(self) -> None:
    """Waits for the last save."""
    self._checkpointer.close()


def sound(folder: Path) -> Path | None:
  """Returns the last whole checkpoint on disk."""
  whole = [path.parent for path in folder.glob("*/commit_success.txt")]
  # Orbax gives what is not finished other names.
  steps = [int(path.name) for path in whole if path.name.isdecimal()]
  return folder / str(max(steps)) if steps else None


def losses(folder: Path) -> dict[int, float | None]:
  """Returns the steps of a folder's checkpoints, and the losses known.

  Raises:
    JaxlicError: As `check_losses`.
  """
  check_losses(folder)
  with ocp.training.Checkpointer(folder) as checkpointer:
    return {
      saved.step: saved.metrics and saved.metrics["loss"]
      for saved in checkpointer.checkpoints
    }


def check_losses(folder: Path) -> None:
  """Checks that losses can be read, without which Orbax opens no folder.

  Raises:
    JaxlicError: If one is damaged.
  """
  for path in folder.glob("*/metrics/metrics"):
    try:
      saved = json.loads(path.read_bytes())
      saved is None or float(saved["loss"])
    except (ValueError, TypeError, KeyError) as error:
      raise JaxlicError(
        f"{path} is damaged ({one_line(error)}); remove this file: of its "
        "checkpoint no more is lost than the loss"
      ) from error


def load(folder: Path, step: int, name: str) -> Any:
  """Returns one tree of a checkpoint; changes nothing in the folder.

  Raises:
    JaxlicError: With the reason, if it cannot be read.
  """
  with ocp.training.Checkpointer(folder) as checkpointer:
    return _read(
      lambda: checkpointer.load_checkpointables(step, {name: None})[name]
    )


def readable(folder: Path, names: Sequence[str], but: int) -> int | None:
  """Returns the last step, but for one, of which all these trees are whole."""
  for step in sorted(losses(folder).keys() - {but}, reverse=True):
    with contextlib.suppress(JaxlicError):
      for name in names:
        load(folder, step, name)
      return step
  return None


def on_host(tree: Any) -> Any:
  """Returns this process's first copy of replicated arrays, in host memory."""
  # A copy: the next step may take over the memory of what it is given.
  return jax.tree.map(lambda x: np.array(x.addressable_data(0)), tree)


def quieten() -> None:
  """Leaves it to whoever catches an error to tell what was wrong with a save.

  Orbax logs its errors besides raising them, and the reads and writes that a
  failed one gives up end unheard, or find its event loop closed.
  """
  logging.set_verbosity(logging.WARNING)
  logging.get_absl_logger().addFilter(lambda r: "orbax" not in r.pathname)
  getLogger("asyncio").setLevel("CRITICAL")
  # A thread of its own may hold what was never awaited until Python ends.
  warnings.filterwarnings("ignore", "coroutine .* was never awaited")
  show = sys.unraisablehook

  def hook(event: Any) -> None:
    if "Event loop is closed" not in str(event.exc_value):
      show(event)

  sys.unraisablehook = hook


def _read(load: Callable[[], Any]) -> Any:
  """What Orbax loads, or the reason why not."""
  try:
    return load()
  except Exception as error:
    reason = _reason(error)
  # What it began to read and never awaited would warn whenever it is collected.
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    gc.collect()
  raise JaxlicError(reason)


def _reason(error: BaseException) -> str:
  """What lies below an error of Orbax, which only names what it tried."""
  inner = error.__cause__ or error.__context__
  # A decoder's StopIteration says nothing, a JaxlicError is of another try.
  while inner and not isinstance(inner, StopIteration | JaxlicError):
    error, inner = inner, inner.__cause__ or inner.__context__
  return f"{type(error).__name__}: {one_line(error)}"[:120]


def _open(folder: Path) -> ocp.training.Checkpointer:
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
