"""Trains a codec: flags -> data -> loop -> checkpoint.

    python train.py --config=configs/NAME.py --workdir=DIR \
      --config.data.folder=PHOTOS [--config.field=value ...]

`--config=configs/NAME.py:toy` is the same at a size that runs in seconds.
Started again on the same directory, it resumes after the last checkpoint. On
several hosts every process runs this command: it asks SLURM, Kubernetes, Open
MPI or the TPU for the others, or is told of them by --coordinator,
--num_processes and --process_id. SIGTERM and Ctrl-C save, and exit.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

from jaxlic import (
  checkpoint,
  codec,
  metrics,
  models,
  optimizer,
  parallel,
  runs,
  training,
  validation,
)
from jaxlic.data import sources, stream
from jaxlic.logs import Logs
from jaxlic.types import JaxlicError, Model

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
CHANGE = flags.DEFINE_bool(
  "change_config", False, "Go on with a configuration that differs."
)
COORDINATOR = flags.DEFINE_string(
  "coordinator", None, "HOST:PORT of process 0, where no cluster tells."
)
PROCESSES = flags.DEFINE_integer(
  "num_processes", None, "Processes of this run; 1 asks no cluster."
)
PROCESS = flags.DEFINE_integer("process_id", None, "Which one this is.")
flags.mark_flags_as_required(["config", "workdir"])

# XLA's CPU collectives hang when more than 32 steps are in flight.
STEPS_IN_FLIGHT = 16


def main(_):
  """Sets everything up; what is wrong with it shows before the first step."""
  quieten()
  config = CONFIG.value
  parallel.start(COORDINATOR.value, PROCESSES.value, PROCESS.value)
  options = config.model.options
  model = models.make(config.model.name, dtype=config.dtype, **options)
  check(config, model)
  chain = optimizer.make(config.optimizer)
  source = sources.open_source(config.data.folder)
  held_out = HeldOut.load(config)
  initial = parallel.replicate(
    lambda: training.init_state(model, chain, config)
  )
  if config.start_from:
    params = checkpoint.load(config.start_from).params
    initial = training.begin_with(initial, params)
  with runs.Run(
    WORKDIR.value, config, main=parallel.is_main(), change=CHANGE.value
  ) as run:
    state, next_example = run.restore(initial) or (initial, 0)
    step = jax.pmap(
      training.make_step(model, codec.make(model), chain, config),
      axis_name=training.AXIS,
      in_axes=(None, 0, 0),
      out_axes=None,
      donate_argnums=0,
    )
    with contextlib.closing(
      batches_of(source, config, next_example)
    ) as batches:
      logs = Logs(run.folder, int(state.step), silent=not parallel.is_main())
      logs.say(f"{len(source)} photographs, starting at step {int(state.step)}")
      train(config, run, logs, step, parallel.put(state), batches, held_out)


def train(config, run, logs, step, state, batches, held_out):
  """The loop, from the state's step to the last."""
  start, total = int(state.step), config.optimizer.steps
  feed, stop = parallel.feed(batches), parallel.Stop()
  window, began, loss = start, time.perf_counter(), None
  for i in tqdm(
    range(start + 1, total + 1), initial=start, total=total, disable=None
  ):
    state = step(state, *next(feed))
    if i % STEPS_IN_FLIGHT == 0:
      check_streak(state, config, run)
    if i % config.log_every == 0:
      state, means = close_window(state)
      logs.train(i, means, (i - window) / (time.perf_counter() - began))
      window, began, loss = i, time.perf_counter(), means["loss"]
    held = held_out and (i % config.eval.every == 0 or i == total)
    if held:
      loss = held_out.evaluate(state, i, logs)
    stopping = stop.asked(i)
    if stopping or i == total or i % config.checkpoint_every == 0:
      # The best checkpoint has the least loss, held out if anything is.
      rated = loss if held or not held_out else None
      run.save(state, i * config.data.batch, loss=rated)
    if stopping:
      logs.say(f"stopped at step {i} and saved; start again to go on")
      break
  logs.close()


def batches_of(source: Any, config: Any, start: int) -> Any:
  """This process's share of the training examples, from `start` on."""
  return stream.batches(
    source,
    batch=config.data.batch,
    crop=config.data.crop,
    scales=(config.data.smallest_scale, 1.0),
    seed=config.seed,
    start=start,
    process=jax.process_index(),
    processes=jax.process_count(),
    threads=config.data.threads,
    workers=config.data.workers,
  )


class HeldOut(NamedTuple):
  """Photographs that are not trained on, and the codec at full precision."""

  config: Any
  model: Model
  codec: Any
  held: validation.Held

  @classmethod
  def load(cls, config: Any) -> "HeldOut | None":
    """This process's share of eval.folder; None if that is empty."""
    if not config.eval.folder:
      return None
    held = validation.load(
      config.eval, process=jax.process_index(), processes=jax.process_count()
    )
    model = models.make(config.model.name, **config.model.options)
    return cls(config, model, codec.make(model), held)

  def evaluate(self, state: training.State, i: int, logs: Logs) -> float:
    """Evaluates the moving average, logs it, and returns its loss."""
    loss = self.config.loss
    found = validation.evaluate(
      self.model,
      self.codec,
      parallel.own(state.average),
      self.held.photos,
      loss,
      pictures=self.config.eval.pictures,
    )
    sums = parallel.sum_over_processes(found.sums)
    points = validation.points(self.model, loss, sums, self.held.count)
    logs.evaluation(i, points, found.shown)
    return validation.mean_loss(self.model, loss, points)


def close_window(state: training.State) -> tuple[training.State, dict]:
  """Returns the state with its sums cleared, and their means."""
  totals = {name: float(value) for name, value in state.totals.items()}
  steps = totals.pop("steps") or float("nan")
  means = {name: value / steps for name, value in totals.items()}
  means["skipped"] = int(state.skipped)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state.totals)
  return state._replace(totals=parallel.put(zeros)), means


def check_streak(state: training.State, config: Any, run: runs.Run) -> None:
  """Stops a run that has come to nothing; waits for the steps in flight."""
  streak = int(state.streak)
  if streak >= config.loss.max_skipped:
    raise JaxlicError(
      f"the last {streak} steps had a loss or gradient that was not finite, or "
      f"a gradient norm of {config.loss.max_norm} or more; the last good "
      f"checkpoint is {run.sound() or 'none'}: lower optimizer.learning_rate"
    )


def check(config: Any, model: Model) -> None:
  """Refuses what would fail only after compilation, or mean nothing."""
  training.weights(model.spec, config.loss)
  shares = jax.device_count() * config.accumulate
  stride, warmup = model.spec.stride, config.optimizer.warmup_steps
  for (
    field
  ) in "data.crop data.batch accumulate log_every checkpoint_every".split():
    _require(config, field, lambda x: x > 0, "positive")
  _require(
    config, "data.crop", lambda x: x % stride == 0, f"a multiple of {stride}"
  )
  if config.loss.distortion == "ms-ssim":
    least = metrics.MS_SSIM_MIN_SIDE
    _require(
      config, "data.crop", lambda x: x >= least, f"{least} or more for MS-SSIM"
    )
  _require(
    config,
    "data.batch",
    lambda x: x % shares == 0,
    f"a multiple of {shares}, the devices times accumulate",
  )
  _require(
    config,
    "data.smallest_scale",
    lambda x: 0 < x <= 1,
    "above 0, and 1 at most",
  )
  _require(
    config,
    "optimizer.steps",
    lambda x: x > warmup,
    f"above optimizer.warmup_steps, {warmup}",
  )
  # So that sums of metrics and losses are whole wherever a run resumes.
  for field, unit in [
    ("checkpoint_every", "log_every"),
    ("eval.every", "checkpoint_every"),
  ]:
    divisor = config[unit]
    _require(
      config,
      field,
      lambda x, n=divisor: x > 0 and x % n == 0,
      f"a multiple of {unit}, {divisor}",
    )


def _require(
  config: Any, field: str, holds: Callable[[Any], bool], rule: str
) -> None:
  value = functools.reduce(lambda c, name: c[name], field.split("."), config)
  if not holds(value):
    raise JaxlicError(f"{field} is {rule}, got {value}; correct it")


def parse_flags(words: list[str]) -> list[str]:
  """Parses the command line; whatever is wrong with it is one line."""
  try:
    return flags.FLAGS(words)
  except (AttributeError, KeyError) as error:
    raise JaxlicError(
      f"the config has no such field: {error.args[0]}; see its file"
    ) from error
  except flags.Error as error:
    last = str(error).strip().splitlines()[-1].removesuffix(".")
    raise JaxlicError(f"{last}; see train.py --help") from error


def quieten() -> None:
  """Leaves it to `explain` to tell, in one line, what went wrong with a save.

  Orbax logs its errors besides raising them, and the writes that a failed save
  gives up find its event loop closed.
  """
  logging.set_verbosity(logging.WARNING)
  logging.get_absl_handler().addFilter(lambda r: "orbax" not in r.pathname)
  show = sys.unraisablehook

  def hook(event: Any) -> None:
    if "Event loop is closed" not in str(event.exc_value):
      show(event)

  sys.unraisablehook = hook


def explain(error: Exception) -> str | None:
  """One line on what a user can mend; None for anything else."""
  if isinstance(error, JaxlicError):
    return str(error)
  if isinstance(error, OSError):
    reason = error.strerror or str(error).splitlines()[-1]
    return f"{error.filename or 'files'}: {reason}; check it"
  if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
    return "out of memory; raise accumulate, or lower data.batch or data.crop"
  return None


if __name__ == "__main__":
  try:
    app.run(main, flags_parser=parse_flags)
  except Exception as error:
    line = explain(error)
    if line is None:
      raise
    print(f"train.py: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)
