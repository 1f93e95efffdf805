"""Trains a codec: flags -> data -> loop -> checkpoint.

    python train.py --config=configs/NAME.py --workdir=DIR \
      --config.data.folder=PHOTOS [--config.field=value ...]

`--config=configs/NAME.py:toy` is the same at a size that runs in seconds. Any
model, also one of your own, has the defaults of a training and its options as
flags by

    python train.py --import=my_model.py --config=configs/default.py:my-model \
      --workdir=DIR --config.data.folder=PHOTOS --config.model.options.width=64

Started again on the same directory, it resumes after the last checkpoint. On
several hosts every process runs this command: it asks SLURM, Kubernetes, Open
MPI or the TPU for the others, or is told of them by --coordinator,
--num_processes and --process_id. SIGTERM and Ctrl-C save, and exit; a second
Ctrl-C gives up.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from absl import app, flags
from ml_collections import config_flags

from jaxlic.errors import JaxlicError, explain

try:
  import jax
except ValueError as error:  # an environment variable that JAX does not take
  print(f"train.py: {explain(error) or error}", file=sys.stderr)
  sys.exit(2)

from jaxlic import codec, models, training, zoo
from jaxlic.cli import modules, process
from jaxlic.data import selection, sources
from jaxlic.data.selection import Selection
from jaxlic.data.sources import Source
from jaxlic.training import (
  checkpoints,
  command_line,
  devices,
  feed,
  progress,
  warm_start,
)
from jaxlic.training.config import check
from jaxlic.training.held_out import HeldOut
from jaxlic.training.logs import Logs
from jaxlic.training.run import Restored, Run
from jaxlic.types import Model

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
MODULES = flags.DEFINE_multi_string(
  "import", [], "Module that registers models, or its file, imported first."
)
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
  "local_devices",
  None,
  "GPUs of this process, as 0,1,2,3; see docs/training.md.",
)

# XLA's CPU collectives hang when more than 32 steps are in flight.
STEPS_IN_FLIGHT = 16


def main(_):
  """Sets everything up; what is wrong with it shows before the first step."""
  checkpoints.quieten()
  join_others()
  config = CONFIG.value
  model = make_model(config)
  check(config, model, devices=jax.device_count())
  codec.check_rows(model)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  photos = select(config)
  held_out = load_held_out(config, photos.held)
  initial = devices.replicate(
    lambda: training.init_state(model, optimizer, config)
  )
  with contextlib.ExitStack() as stack:
    run = stack.enter_context(open_run(config, len(photos.trained)))
    resumes = run.sound() is not None
    initial = warm_start.begin(
      initial, config, optimizer, model.spec, load=load_one, resumes=resumes
    )
    start = run.restore(initial) or Restored(initial, 0)
    step = training.make_step(model, codec.make(model), optimizer, config)
    step, batches = feed.feed_step(
      step, photos.trained, config, start.next_example
    )
    stack.enter_context(contextlib.closing(batches))
    run.describe()
    first = int(start.state.step)
    logs = Logs(run.folder, first, silent=not devices.is_main())
    stack.enter_context(contextlib.closing(logs))
    say_start(logs, photos, first, config)
    train(config, run, logs, step, batches, held_out, start)


def parse(words: Sequence[str]) -> list[str]:
  """Imports models before a configuration asks for them, and sets the flags."""
  modules.import_all(command_line.imported(words))
  return command_line.parse(words)


def make_model(config: Any) -> Model:
  """Returns what is trained; a model without `dtype` computes in float32."""
  precision = {} if config.dtype == "float32" else {"dtype": config.dtype}
  return models.make(config.model.name, **precision, **config.model.options)


def join_others() -> None:
  """Finds the other processes of this run."""
  local = command_line.device_numbers(LOCAL.value)
  devices.start(COORDINATOR.value, PROCESSES.value, PROCESS.value, local)


def select(config: Any) -> Selection:
  """Returns the photographs of data.folder that are used, and for what."""
  return selection.select(
    sources.open_source(config.data.folder),
    smallest_side=config.data.smallest_side,
    limit=config.data.limit,
    split=config.eval.split,
    threads=config.data.threads,
  )


def load_held_out(config: Any, held: Source | None) -> HeldOut | None:
  """Returns what is evaluated beside the loop, at full precision, if any is."""
  if not config.eval.folder and held is None:
    return None
  model = models.make(config.model.name, **config.model.options)
  return HeldOut.load(config, model, codec.make(model), held)


def open_run(config: Any, photographs: int) -> Run:
  """Returns the run of --workdir."""
  return Run(
    WORKDIR.value,
    config,
    main=devices.is_main(),
    change=CHANGE.value,
    photographs=photographs,
  )


def load_one(source: str) -> zoo.Trained:
  """Returns a codec to start from."""
  trained = zoo.load(source)
  if trained.architecture == zoo.ENSEMBLE:
    raise JaxlicError(
      f"training starts from a codec of one model, {source} is an ensemble; "
      "give one of its members"
    )
  return trained


def say_start(logs: Logs, photos: Selection, step: int, config: Any) -> None:
  """Says where the run begins, on what, and whether that is its end."""
  logs.say(devices.describe())
  if config.data.smallest_side:
    side = config.data.smallest_side
    logs.say(f"left out {photos.small} photographs with a side below {side}")
  if photos.held is not None:
    logs.say(f"held out {len(photos.held)} photographs, the last by name")
  logs.say(f"{len(photos.trained)} photographs, starting at step {step}")
  if step >= config.optimizer.steps:
    logs.say(
      f"the run has reached its last step, {config.optimizer.steps}; raise "
      "optimizer.steps with --change_config to go on"
    )
  else:
    logs.say(f"compiling; then a line every {config.log_every} steps")


def train(
  config: Any,
  run: Run,
  logs: Logs,
  step: Callable,
  batches: Iterable,
  held_out: HeldOut | None,
  start: Restored,
) -> None:
  """The loop, from the state's step to the last."""
  state, first = devices.put(start.state), int(start.state.step)
  total, stride = config.optimizer.steps, config.data.dispatch
  waiting, stop = devices.feed(batches), devices.Stop()
  window, began, loss = first, time.perf_counter(), None
  for i in progress.count_steps(first, total, stride):
    state = step(state, *next(waiting))
    stopping = stop.asked(i // stride)
    last = stopping or i == total
    saving = last or i % config.checkpoint_every == 0
    if saving or i % STEPS_IN_FLIGHT < stride:
      progress.check_streak(state, config.loss, run.sound)
    if i % config.log_every == 0:
      state, means = progress.close_window(state)
      logs.train(i, means, (i - window) / (time.perf_counter() - began))
      window, began, loss = i, time.perf_counter(), means["loss"]
    rated = held_out and (i % config.eval.every == 0 or i == total)
    if rated:
      loss = held_out.evaluate(state, i, logs)
    # A streak that ends the run leaves the checkpoints from before it.
    if saving and (last or not int(state.streak)):
      seen = start.next_example + (i - first) * config.data.batch
      # The best checkpoint has the least loss, held out if anything is.
      known = rated or not held_out
      run.save(state, seen, loss=loss if known else None, wait=last)
      logs.flush()
    if stopping:
      logs.say(f"stopped at step {i} and saved; start again to go on")
      return
  logs.say(f"done; a codec of it: jaxlic export {WORKDIR.value} CODEC")


if __name__ == "__main__":
  process.open_closed_streams()
  try:
    # All that it moves between host and devices is meant.
    with jax.transfer_guard("allow"):
      app.run(main, flags_parser=parse)
  except KeyboardInterrupt:
    os._exit(130)  # JAX may crash where Python ends while it compiles
  except Exception as error:
    line = explain(error)
    if line is None:
      raise
    print(f"train.py: {line}", file=sys.stderr)
    sys.exit(2)
