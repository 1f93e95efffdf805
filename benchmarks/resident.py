"""Training steps per second from the stream, and from a device's own memory.

    python benchmarks/resident.py PHOTOGRAPHS [--config configs/lapped.py] \
      [--dispatch 8] [--steps 32] [--rounds 3] [--batch B] [--crop C]

Each variant trains as train.py does, feeding included: the stream of the host;
photographs in the device's memory, a step per dispatch; and `--dispatch` steps
per dispatch. They take turns, `--rounds` times; a figure is the median over the
rounds. `--dispatch 1` leaves the last out: on CPUs, whose loops XLA compiles
badly, its steps are compiled one after the other.
"""

import argparse
import contextlib
import importlib
import statistics
import sys
import time
from pathlib import Path

import jax
from absl import flags

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jaxlic import codec, models, training  # noqa: E402
from jaxlic.data import sources  # noqa: E402
from jaxlic.training import devices, feed  # noqa: E402


def main():
  """Prints a table in Markdown."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("folder", help="photographs")
  parser.add_argument("--config", default="configs/lapped.py")
  parser.add_argument("--dispatch", type=int, default=8)
  parser.add_argument("--steps", type=int, default=32, help="of each turn")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--batch", type=int)
  parser.add_argument("--crop", type=int)
  options = parser.parse_args()
  flags.FLAGS.mark_as_parsed()
  source = sources.open_source(options.folder)
  variants = {
    "stream": {"resident": False, "dispatch": 1},
    "resident": {"resident": True, "dispatch": 1},
  }
  if options.dispatch > 1:
    variants[f"resident, {options.dispatch} steps a dispatch"] = {
      "resident": True,
      "dispatch": options.dispatch,
    }
  with contextlib.ExitStack() as stack:
    runs = {
      name: start(options, source, fields, stack)
      for name, fields in variants.items()
    }
    rates = {name: [] for name in runs}
    for _ in range(options.rounds):
      for name, advance in runs.items():
        began = time.perf_counter()
        taken = advance(options.steps)
        rates[name].append(taken / (time.perf_counter() - began))
  medians = {name: statistics.median(values) for name, values in rates.items()}
  print("| | steps/s | ratio |\n|---|---:|---:|")
  for name, rate in medians.items():
    print(f"| {name} | {rate:.3f} | {rate / medians['stream']:.2f} |")


def start(options, source, fields, stack):
  """Compiles a variant; returns what takes some steps, and how many."""
  name = options.config.removesuffix(".py").replace("/", ".")
  config = importlib.import_module(name).get_config()
  draw = config.data.draw if fields["resident"] else "epochs"
  config.data.update(draw=draw, **fields)
  for key in ("batch", "crop"):
    config.data[key] = getattr(options, key) or config.data[key]
  model = models.make(
    config.model.name, dtype=config.dtype, **config.model.options
  )
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  state = devices.replicate(
    lambda: training.init_state(model, optimizer, config)
  )
  step = training.make_step(model, codec.make(model), optimizer, config)
  step, batches = feed.feed_step(step, source, config, 0)
  stack.enter_context(contextlib.closing(batches))
  waiting, stride = devices.feed(batches), config.data.dispatch

  def advance(steps):
    nonlocal state
    turns = max(1, steps // stride)
    for _ in range(turns):
      state = step(state, *next(waiting))
    jax.block_until_ready(state.step)
    return turns * stride

  advance(2 * stride)
  return advance


if __name__ == "__main__":
  main()
