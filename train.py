"""Trains a codec: flags -> data -> loop -> checkpoint.

    python train.py --config=configs/NAME.py --workdir=DIR \
      --config.data.folder=PHOTOS [--config.field=value ...]

`--config=configs/NAME.py:toy` is the same at a size that runs in seconds.
Started again on the same directory, it resumes after the last checkpoint. On
several hosts every process runs this command: it asks SLURM, Kubernetes, Open
MPI or the TPU for the others, or is told of them by --coordinator,
--num_processes and --process_id. SIGTERM and Ctrl-C save, and exit; a second
Ctrl-C gives up.
"""

import contextlib
import os
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

from jaxlic import codec, models, training, zoo
from jaxlic.data import resident, sources, stream
from jaxlic.errors import JaxlicError
from jaxlic.training import config as configuration
from jaxlic.training import devices, held_out, optimizer
from jaxlic.training.logs import Logs
from jaxlic.training.run import Run
from jaxlic.types import Model

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
LOCAL = flags.DEFINE_list(
  "local_devices", None, "GPUs of this process, as 0,1,2,3; see the README."
)

# XLA's CPU collectives hang when more than 32 steps are in flight.
STEPS_IN_FLIGHT = 16


def main(_):
  """Sets everything up; what is wrong with it shows before the first step."""
  quieten()
  config = CONFIG.value
  devices.start(
    COORDINATOR.value, PROCESSES.value, PROCESS.value, devices_of(LOCAL.value)
  )
  options = config.model.options
  model = models.make(config.model.name, dtype=config.dtype, **options)
  configuration.check(config, model, devices=jax.device_count())
  chain = optimizer.make(config.optimizer)
  source = sources.open_source(config.data.folder)
  held_out = HeldOut.load(config)
  initial = devices.replicate(lambda: training.init_state(model, chain, config))
  with contextlib.ExitStack() as stack:
    run = stack.enter_context(open_run(config, len(source)))
    initial = begin(initial, config, chain, resumes=run.sound() is not None)
    state, next_example = run.restore(initial) or (initial, 0)
    step = training.make_step(model, codec.make(model), chain, config)
    step, batches = feed_step(step, source, config, next_example)
    stack.enter_context(contextlib.closing(batches))
    run.describe()
    logs = Logs(run.folder, int(state.step), silent=not devices.is_main())
    stack.enter_context(contextlib.closing(logs))
    logs.say(devices.describe())
    logs.say(f"{len(source)} photographs, starting at step {int(state.step)}")
    if state.step >= config.optimizer.steps:
      logs.say(
        f"the run has reached its last step, {config.optimizer.steps}; raise "
        "optimizer.steps with --change_config to go on"
      )
    state = devices.put(state)
    train(config, run, logs, step, state, batches, held_out, next_example)


def open_run(config: Any, photographs: int) -> Run:
  """Returns the run of --workdir."""
  return Run(
    WORKDIR.value,
    config,
    main=devices.is_main(),
    change=CHANGE.value,
    photographs=photographs,
  )


def begin(
  initial: training.State, config: Any, chain: Any, *, resumes: bool
) -> training.State:
  """Returns the state with the weights of `start_from`, if there are any.

  A run that resumes has its own. It takes the shapes alone from there, for
  imported weights have medians besides; without these it can do without it.
  """
  source = config.start_from
  if config.optimizer.only and not source:
    raise JaxlicError(
      "optimizer.only leaves the rest as it begins, which is at random; give "
      "start_from"
    )
  if not source or (resumes and not Path(source).exists()):
    return initial
  trained = zoo.load(source)
  if trained.architecture == zoo.ENSEMBLE:
    raise JaxlicError(
      f"training starts from a codec of one model, {source} is an ensemble; "
      "give one of its members"
    )
  params = trained.params
  only, lacks = config.optimizer.only, "no"
  added = training.added(initial, params)
  if config.start_partly:
    added, lacks = training.unfitting(initial.params, params), "no whole"
    params = training.fitting(initial.params, params)
    pairs = zip(*map(jax.tree.leaves, (params, initial.params)), strict=True)
    if all(taken is own for taken, own in pairs):
      raise JaxlicError(
        f"nothing of start_from, {source}, fits this model; give options "
        f"nearer to those of its {trained.architecture}, {trained.options}, or "
        "set start_from to nothing"
      )
  missing = [name for name in added if name not in only]
  if only and missing:
    raise JaxlicError(
      f"only {', '.join(only)} is trained, but {source} has {lacks} "
      f"{', '.join(missing)}; give model.options as it has them: "
      f"{trained.options}"
    )
  try:
    begun = training.begin_with(initial, params, chain)
  except JaxlicError as error:
    raise JaxlicError(f"{error}; {source} has {trained.options}") from error
  for name in added:
    logging.warning(
      "%s has %s %s: what it lacks starts afresh", source, lacks, name
    )
  return begun


def train(config, run, logs, step, state, batches, held_out, next_example):
  """The loop, from the state's step to the last."""
  start, total = int(state.step), config.optimizer.steps
  stride = config.data.dispatch
  if start % stride:
    raise JaxlicError(
      f"data.dispatch divides the step that a run goes on from, {start}, got "
      f"{stride}; set it to 1"
    )
  feed, stop = devices.feed(batches), devices.Stop()
  window, began, loss = start, time.perf_counter(), None
  for i in tqdm(
    range(start + stride, total + 1, stride),
    initial=start // stride,
    total=total // stride,
    unit_scale=stride,
    disable=None,
  ):
    state = step(state, *next(feed))
    stopping = stop.asked(i // stride)
    last = stopping or i == total
    saving = last or i % config.checkpoint_every == 0
    if saving or i % STEPS_IN_FLIGHT < stride:
      check_streak(state, config, run)
    if i % config.log_every == 0:
      state, means = close_window(state)
      logs.train(i, means, (i - window) / (time.perf_counter() - began))
      window, began, loss = i, time.perf_counter(), means["loss"]
    held = held_out and (i % config.eval.every == 0 or i == total)
    if held:
      loss = held_out.evaluate(state, i, logs)
    # A streak that ends the run leaves the checkpoints from before it.
    if saving and (last or not int(state.streak)):
      # The best checkpoint has the least loss, held out if anything is.
      rated = loss if held or not held_out else None
      seen = next_example + (i - start) * config.data.batch
      run.save(state, seen, loss=rated, wait=last)
      logs.flush()
    if stopping:
      logs.say(f"stopped at step {i} and saved; start again to go on")
      break


def feed_step(
  step: Any, source: Any, config: Any, start: int
) -> tuple[Any, Any]:
  """Returns the step mapped over devices, and what it takes besides."""
  if not config.data.resident:
    batches = batches_of(source, config, start)
    return devices.map_step(step, training.AXIS), batches
  draw = resident.make_draw(
    seed=config.seed,
    crop=config.data.crop,
    smallest_scale=config.data.smallest_scale,
    by=config.data.draw,
  )
  steps = training.make_resident_step(step, draw)
  copies = jax.local_device_count() if jax.default_backend() == "cpu" else 1
  photos = devices.put(
    resident.load(source, copies=copies, threads=config.data.threads)
  )
  mapped = devices.map_step(steps, training.AXIS, in_axes=(None, None, 0))
  numbers = resident.numbers(
    start=start,
    batch=config.data.batch,
    dispatch=config.data.dispatch,
    process=jax.process_index(),
    processes=jax.process_count(),
  )
  return lambda state, index: mapped(state, photos, index), numbers


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
  held: held_out.Held

  @classmethod
  def load(cls, config: Any) -> "HeldOut | None":
    """This process's share of eval.folder; None if that is empty."""
    if not config.eval.folder:
      return None
    held = held_out.load(
      config.eval,
      distortion=config.loss.distortion,
      process=jax.process_index(),
      processes=jax.process_count(),
    )
    model = models.make(config.model.name, **config.model.options)
    return cls(config, model, codec.make(model), held)

  def evaluate(self, state: training.State, i: int, logs: Logs) -> float:
    """Evaluates the moving average, logs it, and returns its loss."""
    loss = self.config.loss
    found = held_out.evaluate(
      self.model,
      self.codec,
      devices.own(state.average),
      self.held.photos,
      loss,
      pictures=self.config.eval.pictures,
    )
    sums = devices.sum_over_processes(found.sums)
    points = held_out.points(self.model, loss, sums, self.held.count)
    logs.evaluation(i, points, found.shown)
    return held_out.mean_loss(self.model, loss, points)


def close_window(state: training.State) -> tuple[training.State, dict]:
  """Returns the state with its sums cleared, and their means."""
  totals = {name: float(value) for name, value in state.totals.items()}
  steps = totals.pop("steps") or float("nan")
  means = {name: value / steps for name, value in totals.items()}
  means["skipped"] = int(state.skipped)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state.totals)
  return state._replace(totals=devices.put(zeros)), means


def check_streak(state: training.State, config: Any, run: Run) -> None:
  """Stops a run that has come to nothing; waits for the steps in flight."""
  streak = int(state.streak)
  if streak >= config.loss.max_skipped:
    most = config.loss.max_norm
    large = f", or a gradient norm of {most} or more" if most < np.inf else ""
    raise JaxlicError(
      f"the last {streak} steps had a loss or gradient that was not finite"
      f"{large}; the last good checkpoint is {run.sound() or 'none'}: lower "
      "optimizer.learning_rate"
    )


def devices_of(words: list[str] | None) -> list[int] | None:
  """Returns the numbers of --local_devices."""
  if words is not None and not all(word.isdecimal() for word in words):
    raise JaxlicError(
      f"--local_devices are numbers, got {','.join(words)}; write 0,1,2,3"
    )
  return words and [int(word) for word in words]


def parse_flags(words: list[str]) -> list[str]:
  """Parses the command line; whatever is wrong with it is one line."""
  try:
    rest = flags.FLAGS(words)
    check_flags(rest[1:])
    return rest
  except (AttributeError, KeyError) as error:
    for frame in traceback.extract_tb(error.__traceback__):
      if frame.name == "get_config":
        raise JaxlicError(
          f"{frame.filename}, line {frame.lineno}: {error}; correct the config"
        ) from error
    raise JaxlicError(
      f"the config has no field {unknown_field(words, error)}"
    ) from error
  except OSError as error:
    last = str(error).splitlines()[-1].removesuffix(".")
    reason = re.sub(r".*(\[Errno \d+\]|failure to load:) ", "", last)
    raise JaxlicError(
      f"--config cannot be read ({reason}); name a file such as "
      "configs/lapped.py"
    ) from error
  except flags.Error as error:
    last = str(error).strip().splitlines()[-1].removesuffix(".")
    own = f"{JaxlicError.__module__}.{JaxlicError.__name__}: "
    if last.startswith(own):  # a config's, at the end of a traceback
      raise JaxlicError(last.removeprefix(own)) from error
    raise JaxlicError(f"{last}; see train.py --help") from error


def check_flags(rest: list[str]) -> None:
  """Refuses words that are no flags, and flags that lack what a run needs."""
  if rest:
    raise JaxlicError(
      f"there are only flags, got {rest[0]!r}; write --NAME=VALUE"
    )
  for flag in (CONFIG, WORKDIR):
    if flag.value in (None, ""):
      raise JaxlicError(
        f"--{flag.name} is missing; give --config=configs/NAME.py --workdir=DIR"
      )
  if "model" not in CONFIG.value:
    file = config_flags.get_config_filename(flags.FLAGS["config"])
    raise JaxlicError(
      f"{file} has no model; name another, such as configs/lapped.py"
    )


def unknown_field(words: list[str], error: Exception) -> str:
  """The field that an error of ml_collections is about, and what is like it."""
  meant = re.search(r'Did you mean "(.*?)"', str(error))
  while error.__context__:
    error = error.__context__
  name = re.findall(r"[\w.]+", str(error))[-1]
  given = (re.match(r"--?(?:no)?config\.([^=]+)", word) for word in words)
  paths = [match[1] for match in given if match]
  path = next((p for p in paths if name in (p, *p.split("."))), name)
  way = f'did you mean "{meant[1]}"?' if meant else "see configs/default.py"
  return f"{path}; {way}"


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
    said = [error.strerror, *reversed(str(error).splitlines())]
    reason = next(filter(None, said), type(error).__name__)
    return f"{error.filename or 'files'}: {reason}; check it"
  if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
    return "out of memory; raise accumulate, or lower data.batch or data.crop"
  return None


if __name__ == "__main__":
  try:
    app.run(main, flags_parser=parse_flags)
  except KeyboardInterrupt:
    os._exit(130)  # JAX may crash where Python ends while it compiles
  except Exception as error:
    line = explain(error)
    if line is None:
      raise
    print(f"train.py: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)
