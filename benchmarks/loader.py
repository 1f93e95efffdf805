"""Images per second of the training stream, from a folder and packed.

    python benchmarks/loader.py PHOTOS [--crop 256] [--batch 16] [--seconds 5]

Packs the folder into a temporary one, whole files and tiles of the crop's side,
and times batches of each after the first few. The page cache is warm. Set
beside it what a training step consumes, batch size times steps per second.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from absl import flags

from jaxlic.data import pack, sources, stream

# (threads, workers)
_VARIANTS = [(0, 0), (1, 0), (2, 0), (4, 0), (16, 0), (2, 1), (2, 2)]
_WARM_UP = 8


def main():
  """Prints a table in Markdown."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("folder", help="photographs")
  parser.add_argument("--crop", type=int, default=256)
  parser.add_argument("--batch", type=int, default=16)
  parser.add_argument("--lowest", type=float, default=1.0, help="scale")
  parser.add_argument("--seconds", type=float, default=5.0, help="per cell")
  options = parser.parse_args()
  flags.FLAGS.mark_as_parsed()
  with tempfile.TemporaryDirectory() as temporary:
    opened = open_all(options.folder, Path(temporary), options.crop)
    print(f"Crops of {options.crop}x{options.crop} per second, in batches of")
    print(f"{options.batch}; cores: {len(os.sched_getaffinity(0))}\n")
    print(f"| threads | workers | {' | '.join(opened)} |")
    print("|---" * (2 + len(opened)) + "|")
    for threads, workers in _VARIANTS:
      speeds = [
        f"{speed(source, options, threads, workers):,.0f}"
        for source in opened.values()
      ]
      print(f"| {threads} | {workers} | {' | '.join(speeds)} |", flush=True)


def open_all(
  folder: str, temporary: Path, crop: int
) -> dict[str, sources.Source]:
  """The same photographs, as three sources."""
  files, tiles = temporary / "a.array_record", temporary / "b.array_record"
  pack.pack(folder, files)
  pack.pack(folder, tiles, tile=crop)
  return {
    "folder": sources.open_source(folder),
    "packed files": sources.open_source(files),
    f"packed tiles of {crop}": sources.open_source(tiles),
  }


def speed(
  source: sources.Source,
  options: argparse.Namespace,
  threads: int,
  workers: int,
) -> float:
  """Crops per second, once the stream runs."""
  batches = stream.batches(
    source,
    batch=options.batch,
    crop=options.crop,
    scales=(options.lowest, 1.0),
    seed=0,
    threads=threads,
    workers=workers,
  )
  for _ in range(_WARM_UP):
    next(batches)
  count, start = 0, time.perf_counter()
  while (seconds := time.perf_counter() - start) < options.seconds:
    next(batches)
    count += options.batch
  batches.close()
  return count / seconds


if __name__ == "__main__":
  main()
