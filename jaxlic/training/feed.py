"""What a step takes besides its state: batches of the host, or of the devices.

Photographs are decoded, and crops cut, by the host's threads; or all of them
stay in each device's memory, and a dispatch of several steps draws its crops
there.
"""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import jax

from jaxlic.data import resident, stream
from jaxlic.data.sources import Source
from jaxlic.training import devices
from jaxlic.training.step import AXIS, make_resident_step


def feed_step(
  step: Callable, source: Source, config: Any, start: int
) -> tuple[Callable, Iterator]:
  """Returns the step mapped over devices, and what it takes besides.

  Args:
    step: See `step.make_step`.
    source: The photographs.
    config: That of the run.
    start: The number of the first example.
  """
  if config.data.resident:
    return _feed_resident(step, source, config, start)
  batches = batches_of(source, config, start)
  return devices.map_step(step, AXIS), batches


def batches_of(
  source: Source, config: Any, start: int
) -> Generator[stream.Batch, None, None]:
  """Returns this process's share of the training examples, from `start` on."""
  return stream.batches(
    source,
    batch=config.data.batch,
    crop=config.data.crop,
    scales=(config.data.smallest_scale, 1.0),
    windows=tuple(config.data.crop_sizes),
    seed=config.seed,
    start=start,
    process=jax.process_index(),
    processes=jax.process_count(),
    threads=config.data.threads,
    workers=config.data.workers,
  )


def _feed_resident(
  step: Callable, source: Source, config: Any, start: int
) -> tuple[Callable, Iterator]:
  """The same for photographs that stay in the devices' memory."""
  draw = resident.make_draw(
    seed=config.seed,
    crop=config.data.crop,
    smallest_scale=config.data.smallest_scale,
    windows=tuple(config.data.crop_sizes),
    by=config.data.draw,
  )
  steps = make_resident_step(step, draw)
  mapped = devices.map_step(steps, AXIS, in_axes=(None, None, 0))
  photos = devices.put(_load(source, config.data.threads))
  numbers = resident.numbers(
    start=start,
    batch=config.data.batch,
    dispatch=config.data.dispatch,
    process=jax.process_index(),
    processes=jax.process_count(),
  )
  return lambda state, index: mapped(state, photos, index), numbers


def _load(source: Source, threads: int) -> resident.Photos:
  copies = jax.local_device_count() if jax.default_backend() == "cpu" else 1
  return resident.load(source, copies=copies, threads=threads)
