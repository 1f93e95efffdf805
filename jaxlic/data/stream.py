"""Training batches: an endless stream of random crops, on Grain.

Example number i = 0, 1, 2, ... is a function of the source, the seed, the crop
and its scales or sizes alone. Every photograph comes once per epoch, each epoch
in an order of its own. Processes, threads and workers only share the work:
batch k holds the examples k * batch ... (k + 1) * batch - 1, whoever decodes
them.
"""

import atexit
import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
import weakref
from collections.abc import Generator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from absl import flags, logging
from jaxtyping import UInt8, UInt32

from jaxlic.data import crops, sources
from jaxlic.errors import JaxlicError

_TRIES = 100


class Batch(NamedTuple):
  """One process's share of a batch."""

  images: UInt8[np.ndarray, "b h w 3"]
  index: UInt32[np.ndarray, "b"]  # numbers of the examples, modulo 2**32


def batches(
  source: sources.Source,
  *,
  batch: int,
  crop: int,
  seed: int,
  scales: tuple[float, float] = (1.0, 1.0),
  windows: tuple[int, ...] = (),
  start: int = 0,
  process: int = 0,
  processes: int = 1,
  threads: int = 16,
  workers: int = 0,
) -> Generator[Batch, None, None]:
  """Yields batches of crops, without end; `close()` stops what decodes them.

  A photograph that proves damaged is replaced by the next one of the source,
  and logged once by each process and worker.

  Args:
    source: The photographs.
    batch: Examples of a batch, over all processes.
    crop: Side of the crops in pixels; see `crops.draw`.
    seed: From 0 to 2**32 - 1.
    scales: Lowest and highest scale of the crops.
    windows: Sides, in pixels, of what is resized to a crop; (): by `scales`.
    start: Number of the first example. A run that continues after k steps
      passes `k * batch`.
    process: This process takes the examples `process * batch // processes` and
      on of each batch, so that the shares in their order are the batch.
    processes: Number of processes; divides `batch`.
    threads: Threads that decode, in each process and worker; 0 for none.
    workers: Processes that decode for this one. Threads are enough unless
      Python code takes long. They need the absl flags parsed, and a main module
      that can be imported.

  Raises:
    JaxlicError: If an option is out of its range, or (while it yields) if 100
      photographs in a row cannot be decoded.
  """
  _check(batch, crop, seed, scales, windows, start, process, processes)
  if min(threads, workers) < 0:
    raise JaxlicError(
      f"threads and workers are 0 or more, got {threads} and {workers}"
    )
  if workers and not flags.FLAGS.is_parsed():
    raise JaxlicError(
      f"{workers} workers need the absl flags parsed; start with absl.app.run,"
      " or call absl.flags.FLAGS.mark_as_parsed() first"
    )
  import grain  # with JAX, it takes a second

  draw = partial(crops.draw, size=crop, scales=scales, windows=windows)
  examples = (
    grain.MapDataset.range(len(source))
    .seed(seed)
    .shuffle()
    .repeat()
    .random_map(_Example(source, draw))
  )
  share = batch // processes
  part = _Share(examples, start + process * share, share, batch)
  dataset = grain.MapDataset.source(part).to_iter_dataset(
    grain.ReadOptions(
      num_threads=threads, prefetch_buffer_size=max(2 * share, threads)
    )
  )
  if workers:
    # Before batching: then their number does not change the order.
    dataset = dataset.mp_prefetch(
      grain.MultiprocessingOptions(num_workers=workers), _serve
    )
  running = _closing(dataset.batch(share))
  # What is still open at the end is closed while Grain's modules are whole.
  atexit.register(_close, weakref.ref(running))
  return running


@dataclasses.dataclass
class _Example:
  """Makes a crop of the photograph at a position."""

  source: sources.Source
  draw: partial
  damaged: set[int] = dataclasses.field(default_factory=set)  # positions

  def __call__(self, position: int, rng: np.random.Generator) -> np.ndarray:
    return self.draw(self._decode(position), rng)

  def _decode(self, first):
    """The photograph at a position, or the first sound one after it."""
    for i in range(min(len(self.source), _TRIES)):
      position = (first + i) % len(self.source)
      if position in self.damaged:
        continue
      try:
        return sources.decode(self.source[position])
      except JaxlicError as error:
        if position not in self.damaged:  # another thread may have found it
          self.damaged.add(position)
          logging.warning("replaced by the next photograph: %s", error)
    raise JaxlicError(
      f"training needs photographs, none of {i + 1} in a row from position"
      f" {first} can be decoded; get them again"
    )


@dataclasses.dataclass(frozen=True)
class _Share:
  """The examples that one process takes: a run of each batch."""

  examples: Any  # grain.MapDataset of crops
  first: int  # number of the first example
  size: int  # of a run
  stride: int  # from run to run

  def __len__(self) -> int:
    return sys.maxsize

  def __getitem__(self, i: int) -> dict[str, Any]:
    step, row = divmod(i, self.size)
    number = self.first + step * self.stride + row
    index = np.uint32(number % 2**32)
    return {"images": self.examples[number], "index": index}


def _serve(worker: int, workers: int) -> None:
  """Makes a worker end with the main process, and not before.

  A terminal, or a cluster, signals all processes of a job.
  """
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  threading.Thread(target=_end_with_main, daemon=True).start()


def _end_with_main() -> None:
  multiprocessing.parent_process().join()
  os._exit(1)


def _closing(dataset) -> Generator[Batch, None, None]:
  """Yields from a dataset; stops its threads and workers at the end."""
  iterator = iter(dataset)
  try:
    for element in iterator:
      yield Batch(**element)
  finally:
    iterator.close()


def _close(running: weakref.ref) -> None:
  generator = running()
  if generator is not None:
    generator.close()


def _check(
  batch, crop, seed, scales, windows, start, process, processes
) -> None:
  low, high = scales
  rules = [
    (batch > 0, f"batch is positive, got {batch}"),
    (crop > 0, f"crop is positive, got {crop}"),
    (0 <= seed < 2**32, f"seed is from 0 to 2**32 - 1, got {seed}"),
    (
      0 < low <= high <= 1,
      f"scales are 0 < lowest <= highest <= 1, got {low:g} and {high:g}",
    ),
    (
      all(side >= crop for side in windows),
      f"windows are of the crop's {crop} pixels or more, got {windows}",
    ),
    (
      not windows or scales == (1, 1),
      f"scales are 1 and 1 with windows, got {low:g} and {high:g}",
    ),
    (start >= 0, f"start is 0 or more, got {start}"),
    (
      0 <= process < processes,
      f"process is from 0 to processes - 1, got {process} of {processes}",
    ),
    (
      processes > 0 and batch % processes == 0,
      f"batch is a multiple of the {processes} processes, got {batch}",
    ),
  ]
  for kept, rule in rules:
    if not kept:
      raise JaxlicError(f"{rule}; change it in the call")
