"""Measures jaxlic beside CompressAI in one run, and prints a Markdown table.

    python benchmarks/speed.py --peer-python PEER/bin/python kodim*.png

runs in jaxlic's environment; `compressai_peer.py` says how to make the peer's.
`--models NAMES` measures other models instead, those with contexts too, without
the coders and the embedded codec. `--threads K` binds both to the first K
cores, and torch to K threads. Leave the machine idle.

Both code the same images on the CPU, with random weights in the same models, by
default two with N=128 and M=192. CompressAI's weights start so small that
nearly all latents round to zero; ours are scaled down in the last layer of the
analysis until they do so too. The bytes then mean nothing, and the coders have
little to do; the transforms do not depend on it. The coders are measured apart,
on symbols drawn from the 64 Gaussian scales, 2.25 bits each on average.

One call goes from a uint8 array to bytes, or back. "Warm" is the median of
`--repeats` calls in a process that has made one, averaged over the images. A
fresh process counts imports (the interpreter's, NumPy's and Pillow's aside),
making the codec ready, and the first call on the first image; ours compiles in
that call, and does so from scratch, or finds the programs on disk as
`JAX_COMPILATION_CACHE_DIR` keeps them. Making ready is, for jaxlic, to read an
exported codec, and for CompressAI to draw weights and to build tables.

The two take turns, ROUNDS times, each codec in a process of its own. The first
round fills the cache of compiled programs and the disk's; only the times
"compiling" come from it. The other figures are medians over the later rounds.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import compressai_peer
import numpy as np
import speed_table

# jaxlic is imported inside functions: start-up is measured.

ROUNDS = 3
NARROW = {"width": 128, "latent": 192}
# Options of each model, and the last convolution of its analysis.
MODELS = {
  "bmshj2018-hyperprior": (NARROW, "conv3"),
  "mbt2018-mean": (NARROW, "conv3"),
  "mbt2018": ({"width": 192, "latent": 192}, "conv3"),
  "cheng2020-anchor": ({"width": 128}, "conv"),
  "cheng2020-anchor-checkerboard": ({"width": 128}, "conv"),
  "elic2022": ({}, "conv3"),
}
SEED = 0
LATENT_SCALE = 0.01  # of a random analysis, see above
COUNTS = (1_000_000, 491_520)  # the second: y of a Kodak image, M=320
BETA = (2.0, 4.83)  # of index / 64; gives the 2.25 bits per symbol
EMBEDDED = "lapped-1"
SYMBOLS_FILE = "symbols.npz"


def prepare(folder, names):
  """Writes codecs with random weights, and the coder's symbols."""
  import jax

  from jaxlic import models, zoo
  from jaxlic.densities import gaussian

  for name in names:
    options, last = MODELS[name]
    model = models.make(name, **options)
    params = jax.jit(model.init)(jax.random.key(SEED))
    params["analysis"]["params"][last]["kernel"] *= LATENT_SCALE
    about = {"name": name, "architecture": name, "options": options}
    zoo.export(folder / name, **about, params=params)
  random = np.random.default_rng(SEED)
  indexes = (gaussian.LEVELS * random.beta(*BETA, max(COUNTS))).astype(np.int32)
  scales = gaussian.scale_ladder()[indexes]
  symbols = np.rint(scales * random.standard_normal(len(scales)))
  np.savez(
    folder / SYMBOLS_FILE,
    symbols=symbols.astype(np.int32),
    indexes=indexes,
    min=gaussian.SCALE_MIN,
    max=gaussian.SCALE_MAX,
    levels=gaussian.LEVELS,
  )


def measure_codec(folder, paths, repeats):
  """Returns the figures of one codec in this process, as the peer's are.

  Args:
    folder: The codec's folder, or the name of an embedded one.
    paths: The images.
    repeats: Timed calls after the first.
  """
  start = time.perf_counter()
  import jaxlic
  from jaxlic.coding import container

  trained = jaxlic.load(folder)
  startup_seconds = time.perf_counter() - start
  functions = (
    lambda image: jaxlic.compress(image, model=trained),
    lambda data: jaxlic.decompress(data, model=trained),
    lambda data: len(container.unpack(data).payload.data),
  )
  images = [
    compressai_peer.measure_image(*functions, path, repeats) for path in paths
  ]
  return {
    "startup_seconds": startup_seconds,
    "images": images,
    "peak_rss_mib": compressai_peer.peak_rss_mib(),
  }


def measure_coder(path, count, repeats):
  """Returns the figures of the coder alone, under the 64 Gaussian tables.

  `with_tables` builds the coder's form of the tables in every call.
  """
  from jaxlic.coding import range_coder
  from jaxlic.densities import gaussian

  symbols, indexes, _ = compressai_peer.load_symbols(path, count)
  tables = gaussian.freeze()

  def coder(models):
    def encode(symbols, indexes):
      encoder = range_coder.Encoder()
      encoder.push(symbols, indexes, models())
      return encoder.finish()

    def decode(data, indexes):
      return range_coder.Decoder(data).pop(indexes, models())

    return encode, decode

  compiled = range_coder.compile_tables(tables)
  return {
    key: compressai_peer.measure_pair(*coder(models), symbols, indexes, repeats)
    for key, models in {
      "with_arrays": lambda: compiled,
      "with_tables": lambda: range_coder.compile_tables(tables),
    }.items()
  }


def ask(command):
  """Returns what a process of this or the peer's interpreter measured."""
  done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
  return json.loads(done.stdout)


def run_round(folder, args):
  """Returns all figures of one turn of each, as they are."""
  here = pathlib.Path(__file__)
  repeats = ["--repeats", str(args.repeats)]
  peer = [args.peer_python, here.with_name("compressai_peer.py")]
  peer += [*repeats, "--threads", str(args.threads)]

  def ours(work, *paths):
    return ask([sys.executable, here, *repeats, "--work", work, *paths])

  names = args.models or compressai_peer.MODELS
  theirs = [*peer, *args.paths, "--models", *names]
  figures = {
    "jaxlic": {name: ours(folder / name, *args.paths) for name in names},
    "peer": ask(theirs)["models"],
    "coder": {},
    "peer_coder": {},
  }
  if args.models:
    return figures
  figures["embedded"] = ours(EMBEDDED, *args.paths)
  for count in COUNTS:
    path = folder / SYMBOLS_FILE
    figures["coder"][count] = ours(str(count), path)
    figures["peer_coder"][count] = ask([*peer, "--coder", str(count), path])[
      "coder"
    ]
  return figures


def set_up(cores, cache):
  """Binds this process and its children to cores, and JAX to the CPU."""
  os.sched_setaffinity(0, cores)
  os.environ |= {
    "JAX_PLATFORMS": "cpu",
    "JAX_COMPILATION_CACHE_DIR": str(cache),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
  }


def compare(args):
  """Prints the table, and writes every figure if asked to."""
  cores = sorted(os.sched_getaffinity(0))[: args.threads]
  args.threads = len(cores)
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    # What preparing compiles must not be found by the first round.
    set_up(cores, folder / "preparing")
    # A child's peak of memory is at least what its parent holds at its start.
    names = args.models or compressai_peer.MODELS
    ask([sys.executable, __file__, "--work", "prepare", folder, *names])
    set_up(cores, folder / "cache")
    rounds = [run_round(folder, args) for _ in range(ROUNDS)]
  parts = speed_table.summarize(rounds, EMBEDDED)
  print(speed_table.markdown(parts))
  if args.out:
    about = {
      "threads": args.threads,
      "repeats": args.repeats,
      "machine": platform.machine(),
    }
    table = [
      dict(zip(("title", "jaxlic", "peer"), p[:3], strict=True)) for p in parts
    ]
    everything = about | {"table": table, "rounds": rounds}
    args.out.write_text(json.dumps(everything, indent=1) + "\n")


def work(args):
  """Prints what this child measured, a coder or a codec, if it does."""
  if args.work == "prepare":
    figures = prepare(pathlib.Path(args.paths[0]), args.paths[1:])
  elif args.work.isdecimal():
    figures = measure_coder(args.paths[0], int(args.work), args.repeats)
  else:
    figures = measure_codec(args.work, args.paths, args.repeats)
  print(json.dumps(figures))


def parse_args():
  """Returns the command line's arguments."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("paths", nargs="+", help="images without alpha")
  parser.add_argument("--peer-python", help="CompressAI's interpreter")
  parser.add_argument("--models", nargs="+", choices=MODELS)
  parser.add_argument("--threads", type=int, help="default: every core")
  parser.add_argument("--repeats", type=int, default=5, help="per round")
  parser.add_argument("--out", type=pathlib.Path, help="a JSON file")
  # A child's work: "prepare", how many symbols to code, or a codec to load.
  parser.add_argument("--work", help=argparse.SUPPRESS)
  args = parser.parse_args()
  if not (args.peer_python or args.work):
    parser.error("--peer-python names the interpreter that has CompressAI")
  if args.repeats < 1 or (args.threads is not None and args.threads < 1):
    parser.error("--repeats and --threads are at least 1")
  return args


def main():
  args = parse_args()
  work(args) if args.work else compare(args)


if __name__ == "__main__":
  main()
