"""Measures training beside CompressAI in one run, and prints a Markdown table.

    python benchmarks/train_speed.py --peer-python PEER/bin/python

runs in jaxlic's environment; `compressai_peer.py` says how to make the peer's.
`--threads K` binds both to the first K cores, and torch to K threads. Leave the
machine idle.

Both train the same two models (N=128, M=192) from random weights, in float32 on
the CPU (or the GPU, with `--platform cuda`; peak memory is the host's all the
same), on the same uint8 images in memory: the forward pass with noise, the
rate-distortion loss, its gradients clipped at a norm of 1, and Adam. Ours is
one compiled step that may overwrite its state; theirs is that of CompressAI's
`examples/train.py`, which trains the quantiles beside, by a loss of their own.

The two take turns, `--rounds` times, each step in a process of its own. A
figure is the median over the rounds of the median over `--repeats` steps after
the first; the first, with what it compiles, is a row of its own. Peak memory is
the largest over the rounds.

`--keep-memory` lets neither process give freed memory back to the system (by
glibc's own variables). Mapping it anew in each step can cost a third of it.
"""

import argparse
import importlib
import json
import os
import pathlib
import platform
import statistics
import sys

import compressai_peer
import compressai_train
import numpy as np
from speed import ask

ROUNDS = 3
QUALITY = 4  # its lambda is compressai_train.LAMBDA
KEEP_MEMORY = {
  "MALLOC_MMAP_MAX_": "0",
  "MALLOC_TRIM_THRESHOLD_": str(2**40),
  "MALLOC_ARENA_MAX": "1",
}
ROWS = {
  "steps_per_second": "steps/s",
  "first_seconds": "first step, s",
  "peak_rss_mib": "peak memory, MiB",
}


def make_step(name, dtype):
  """Returns the first state, and the step of train.py: (state, *batch)."""
  from jaxlic import codec, models, training
  from jaxlic.training import devices

  file = importlib.import_module(f"configs.{name.replace('-', '_')}")
  config = file.get_config()
  model = models.make(name, quality=QUALITY, dtype=dtype)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  step = training.make_step(model, codec.make(model), optimizer, config)
  first = devices.replicate(
    lambda: training.init_state(model, optimizer, config)
  )
  return first, devices.map_step(step, training.AXIS)


def measure_step(name, args):
  """Returns the figures of our step in this process, as the peer's are."""
  import jax

  sys.path.append(str(pathlib.Path(__file__).parents[1]))
  from jaxlic.training import devices

  images = compressai_train.random_images(args.batch, args.crop)
  state, step = make_step(name, args.dtype)
  # The batch waits in memory, as the peer's does.
  index = np.arange(args.batch, dtype=np.uint32)
  (batch,) = devices.feed([(images, index)])

  def advance():
    nonlocal state
    before = float(state.totals["loss"])
    state = jax.block_until_ready(step(state, *batch))
    return float(state.totals["loss"]) - before

  timed = compressai_peer.measure(advance, repeats=args.repeats)
  return compressai_train.summary(timed, images, ("jax", "jaxlib", "numpy"))


def run_round(args):
  """Returns the figures of one turn of each, by model and codec."""
  here = pathlib.Path(__file__)
  options = [
    f"--{key}={getattr(args, key)}"
    for key in ("batch", "crop", "repeats", "platform")
  ]
  dtype = f"--dtype={args.dtype}"
  peer = [args.peer_python, here.with_name("compressai_train.py")]
  peer += [f"--threads={args.threads}", *options]
  return {
    name: {
      "jaxlic": ask([sys.executable, here, "--work", name, *options, dtype]),
      "peer": ask([*peer, name]),
    }
    for name in args.models
  }


def summarize(rounds):
  """Returns both codecs' figures over the rounds, by model."""

  def over_rounds(name, which, key):
    figure = max if key == "peak_rss_mib" else statistics.median
    return figure([r[name][which][key] for r in rounds])

  return {
    name: {
      which: {key: over_rounds(name, which, key) for key in ROWS}
      for which in ("jaxlic", "peer")
    }
    for name in rounds[0]
  }


def markdown(table):
  """Returns the table; a ratio above 1 is in favour of jaxlic."""
  lines = ["| | | jaxlic | CompressAI | ratio |", "|---|---|---:|---:|---:|"]
  for name, figures in table.items():
    for key, label in ROWS.items():
      ours, theirs = figures["jaxlic"][key], figures["peer"][key]
      more_is_better = key == "steps_per_second"
      ratio = ours / theirs if more_is_better else theirs / ours
      numbers = [
        f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"
        for value in (ours, theirs)
      ]
      lines.append(f"| {' | '.join([name, label, *numbers])} | {ratio:.2f} |")
  return "\n".join(lines)


def cpu_model():
  """Returns the processor's name, as Linux has it."""
  lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
  names = [line for line in lines if line.startswith("model name")]
  return names[0].partition(": ")[2] if names else platform.processor()


def compare(args):
  """Prints the table, and writes every figure if asked to."""
  cores = sorted(os.sched_getaffinity(0))[: args.threads]
  args.threads = len(cores)
  os.sched_setaffinity(0, cores)
  os.environ["JAX_PLATFORMS"] = args.platform
  os.environ |= KEEP_MEMORY if args.keep_memory else {}
  rounds = [run_round(args) for _ in range(args.rounds)]
  table = summarize(rounds)
  print(markdown(table))
  if args.out:
    keys = ("threads", "batch", "crop", "repeats", "keep_memory", "platform")
    about = {key: getattr(args, key) for key in keys}
    about |= {"machine": platform.machine(), "cpu": cpu_model()}
    everything = about | {"table": table, "rounds": rounds}
    args.out.write_text(json.dumps(everything, indent=1) + "\n")


def parse_args():
  """Returns the command line's arguments."""
  names = list(compressai_peer.MODELS)
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--peer-python", help="CompressAI's interpreter")
  parser.add_argument("--models", nargs="+", choices=names, default=names)
  parser.add_argument("--threads", type=int, help="default: every core")
  parser.add_argument("--rounds", type=int, default=ROUNDS)
  parser.add_argument("--dtype", default="float32", help="of ours; or bfloat16")
  parser.add_argument("--keep-memory", action="store_true", help="see above")
  parser.add_argument("--out", type=pathlib.Path, help="a JSON file")
  # A child's work: the model whose step to time.
  parser.add_argument("--work", help=argparse.SUPPRESS)
  compressai_train.add_arguments(parser)
  args = parser.parse_args()
  if not (args.peer_python or args.work):
    parser.error("--peer-python names the interpreter that has CompressAI")
  if min(args.repeats, args.rounds, args.threads or 1) < 1:
    parser.error("--repeats, --rounds and --threads are at least 1")
  return args


def main():
  args = parse_args()
  if args.work:
    print(json.dumps(measure_step(args.work, args)))
  else:
    compare(args)


if __name__ == "__main__":
  main()
