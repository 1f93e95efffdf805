import contextlib
import dataclasses
import itertools
import logging
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from PIL import Image

from jaxlic.data import sources, stream
from jaxlic.errors import JaxlicError

SIZES = [(9, 12), (8, 8), (20, 8), (13, 10), (8, 30), (11, 11), (16, 9)]


def save(path, size, *, value=None):
  """Writes a photograph of noise, or of one value."""
  rng = np.random.default_rng(size)
  photo = rng.integers(0, 256, (*size, 3), np.uint8)
  path.parent.mkdir(exist_ok=True)
  Image.fromarray(photo if value is None else 0 * photo + np.uint8(value)).save(
    path
  )


@pytest.fixture
def flat(tmp_path):
  """Seven photographs, number i of samples i, so that crops tell theirs."""
  for i, size in enumerate(SIZES):
    save(tmp_path / f"{i}.png", size, value=i)
  return sources.open_source(tmp_path)


@pytest.fixture
def noisy(tmp_path):
  for i, size in enumerate(SIZES):
    save(tmp_path / f"{i}.png", size)
  return sources.open_source(tmp_path)


def make(source, **options):
  options = {"batch": 4, "crop": 8, "seed": 7, "threads": 2} | options
  return stream.batches(source, **options)


def join(batches):
  parts = zip(*batches, strict=True)
  return stream.Batch(*(np.concatenate(part) for part in parts))


def take(source, count, **options):
  """The first batches, as one."""
  with contextlib.closing(make(source, **options)) as batches:
    return join(itertools.islice(batches, count))


def values(batch):
  """The photographs that crops are from, by the samples of `flat`."""
  return batch.images[:, 0, 0, 0].tolist()


def pairs(batch):
  return zip(batch.index, values(batch), strict=True)


def assert_same(one, other):
  np.testing.assert_array_equal(one.index, other.index)
  np.testing.assert_array_equal(one.images, other.images)


def test_batches_are_bytes_and_example_numbers(noisy):
  batch = take(noisy, 1, batch=3, crop=5)
  assert batch.images.shape == (3, 5, 5, 3) and batch.images.dtype == np.uint8
  assert batch.index.tolist() == [0, 1, 2] and batch.index.dtype == np.uint32


def test_example_numbers_wrap_around(noisy):
  batch = take(noisy, 1, start=2**32 - 2)
  assert batch.index.tolist() == [2**32 - 2, 2**32 - 1, 0, 1]


def test_the_stream_is_a_function_of_the_seed(noisy):
  first = take(noisy, 5)
  assert_same(first, take(noisy, 5))
  assert (first.images != take(noisy, 5, seed=8).images).any()


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_threads_do_not_change_the_stream(noisy, threads):
  assert_same(take(noisy, 5, threads=threads), take(noisy, 5))


@pytest.mark.newest
def test_workers_do_not_change_the_stream(noisy):
  flags.FLAGS.mark_as_parsed()
  assert_same(take(noisy, 3, workers=2), take(noisy, 3))


def test_signals_to_the_workers_leave_the_stream_whole(noisy):
  flags.FLAGS.mark_as_parsed()
  with contextlib.closing(make(noisy, workers=1)) as batches:
    drawn = [next(batches)]
    (worker,) = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
      os.kill(worker.pid, number)
    drawn += [next(batches) for _ in range(9)]
    assert worker.is_alive()
  assert_same(join(drawn), take(noisy, 10))


@pytest.mark.parametrize("processes", [2, 4])
def test_the_shares_of_the_processes_are_the_batches_of_one(noisy, processes):
  shares = [
    take(noisy, 5, process=process, processes=processes)
    for process in range(processes)
  ]
  for k, whole in enumerate(np.split(take(noisy, 5).index, 5)):
    parts = [np.split(share.index, 5)[k] for share in shares]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
  rows = [share.images.reshape(5, -1, 8, 8, 3) for share in shares]
  joined = np.concatenate(rows, 1).reshape(-1, 8, 8, 3)
  np.testing.assert_array_equal(joined, take(noisy, 5).images)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_each_photograph_comes_once_per_epoch(flat, processes):
  shares = [
    take(flat, 7, process=process, processes=processes)
    for process in range(processes)
  ]
  numbered = [pair for s in shares for pair in pairs(s)]
  ordered = [value for _, value in sorted(numbered)]
  epochs = [ordered[k : k + 7] for k in range(0, 28, 7)]
  assert [sorted(epoch) for epoch in epochs] == 4 * [list(range(7))]
  assert len({tuple(epoch) for epoch in epochs}) == 4


def test_crops_differ_from_epoch_to_epoch(noisy):
  batch = take(noisy, 20, batch=7)
  # A photograph of 8x8 pixels has no other window, but four orientations.
  assert len({crop.tobytes() for crop in batch.images}) > 50


@pytest.mark.parametrize("start", [1, 4, 7, 11])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_resumed_stream_goes_on_as_the_whole_one(noisy, start, processes):
  parts = [
    take(noisy, 3, start=start, process=process, processes=processes)
    for process in range(processes)
  ]
  index = np.concatenate([part.index for part in parts])
  order = np.argsort(index)
  images = np.concatenate([part.images for part in parts])
  whole = take(noisy, 6)
  assert index[order].tolist() == list(range(start, start + 12))
  np.testing.assert_array_equal(images[order], whole.images[start : start + 12])


def test_scales_reach_the_crops(noisy):
  small = take(noisy, 5, crop=4, scales=(0.5, 1.0))
  assert (small.images != take(noisy, 5, crop=4).images).any()


def test_windows_reach_the_crops(noisy):
  of_windows = take(noisy, 5, crop=4, windows=(8,))
  assert of_windows.images.shape == (20, 4, 4, 3)
  assert (of_windows.images != take(noisy, 5, crop=4).images).any()
  assert_same(of_windows, take(noisy, 5, crop=4, windows=(8,), threads=0))


def test_a_damaged_photograph_is_replaced_by_the_next(flat, caplog):
  def fetch(position):  # the files stay: threads of a closed stream still read
    name, data = flat[position]
    return sources.Record(name, data[:-30] if name == "2.png" else data)

  damaged = dataclasses.replace(flat, fetch=fetch)
  before = take(flat, 7)
  with caplog.at_level(logging.WARNING):
    after = take(damaged, 7)
    assert_same(take(damaged, 7, process=0, processes=1, threads=0), after)
  assert values(after) == [3 if v == 2 else v for v in values(before)]
  ours = [r for r in caplog.records if "replaced" in r.getMessage()]
  assert len(ours) == 2  # one for each stream
  assert "2.png: damaged" in ours[0].getMessage()


def test_a_source_without_a_sound_photograph_is_refused(flat, tmp_path):
  for path in tmp_path.iterdir():
    path.write_bytes(path.read_bytes()[:-30])
  with pytest.raises(JaxlicError, match="none of 7 in a row .* can be decoded"):
    take(flat, 1)


def test_a_single_photograph_makes_a_stream(tmp_path):
  save(tmp_path / "a.png", (1, 1), value=9)
  batch = take(sources.open_source(tmp_path), 2)
  assert (batch.images == 9).all() and batch.images.shape == (8, 8, 8, 3)


def test_a_closed_stream_ends(noisy):
  running = stream.batches(noisy, batch=4, crop=8, seed=0)
  next(running)
  running.close()
  assert list(running) == []


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"batch": 0}, "batch is positive, got 0"),
    ({"batch": 5, "processes": 2}, "multiple of the 2 processes, got 5"),
    ({"crop": 0}, "crop is positive, got 0"),
    ({"seed": -1}, "seed is from 0 to 2.*, got -1"),
    ({"scales": (0.5, 2.0)}, "0 < lowest <= highest <= 1, got 0.5 and 2"),
    ({"scales": (0.9, 0.5)}, "0 < lowest <= highest <= 1, got 0.9 and 0.5"),
    ({"windows": (7, 9)}, r"the crop's 8 pixels or more, got \(7, 9\)"),
    (
      {"windows": (9,), "scales": (0.5, 1.0)},
      "scales are 1 and 1 with windows, got 0.5 and 1",
    ),
    ({"start": -1}, "start is 0 or more, got -1"),
    ({"process": 2, "processes": 2}, "got 2 of 2"),
    ({"processes": 0}, "got 0 of 0"),
    ({"threads": -1}, "0 or more, got -1 and 0"),
  ],
)
def test_an_option_out_of_range_is_refused(noisy, options, match):
  with pytest.raises(JaxlicError, match=match):
    take(noisy, 1, **options)


def test_workers_ask_for_parsed_flags(noisy):
  flags.FLAGS.unparse_flags()
  try:
    with pytest.raises(JaxlicError, match="2 workers need the absl flags"):
      take(noisy, 1, workers=2)
  finally:
    flags.FLAGS.mark_as_parsed()


def test_importing_the_room_imports_no_jax():
  code = "import sys, jaxlic.data.stream, jaxlic.data.pack; print(*sys.modules)"
  done = subprocess.run([sys.executable, "-c", code], capture_output=True)
  loaded = done.stdout.decode().split()
  assert "jaxlic.data.pack" in loaded
  assert not {"jax", "grain", "array_record"} & set(loaded)
