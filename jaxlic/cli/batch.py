"""Many files in one command: a line for each, and no end at a broken one."""

import argparse
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

from jaxlic.cli import arguments, process
from jaxlic.cli.jobs import Job, Plan
from jaxlic.errors import explain

SOME_FAILED, NONE_DONE = 1, 2  # exit codes


class Done(NamedTuple):
  """What is said of a file."""

  line: str  # "" if its bytes went to standard output
  warnings: tuple[str, ...] = ()
  failed: bool = False


class Work(NamedTuple):
  """What a command does with each file; its functions can be pickled."""

  load: Callable[[str | None], Any]  # --model -> what `code` needs of it
  code: Callable[[argparse.Namespace, Any, Job], Done]


def said(job: Job, line: str, warnings: Sequence[str] = ()) -> Done:
  """Returns what is said of a file that was written."""
  named = tuple(f"{job.source}: {warning}" for warning in warnings)
  return Done("" if job.target == "-" else line, named)


def run(options: argparse.Namespace, todo: Plan, work: Work) -> int | None:
  """Codes the files, says what came out, and returns the exit code.

  Raises:
    JaxlicError: Without --output-dir: what is wrong with the only file.
  """
  jobs = todo.jobs
  if options.output_dir is None:
    tell(work.code(options, work.load(options.model), jobs[0]))
    return None
  if todo.skipped:
    tell(Done(f"{todo.skipped} skipped, as they are there"))
  count = min(options.jobs or 1, len(jobs))
  if count > 1:
    failed = _told(_in_processes(options, jobs, work, count), len(jobs))
  else:
    failed = _told(_here(options, jobs, work), len(jobs))
  if not failed:
    return None
  process.say(f"jaxlic: {failed} of {len(jobs)} files failed")
  return SOME_FAILED if todo.skipped or failed < len(jobs) else NONE_DONE


def tell(done: Done) -> None:
  """Prints the line of a file, and its warnings, around a progress bar."""
  from tqdm import tqdm

  for warning in done.warnings:
    tqdm.write(f"jaxlic: warning: {warning}", file=sys.stderr)
  if done.failed:
    tqdm.write(f"jaxlic: {done.line}", file=sys.stderr)
  elif done.line:
    tqdm.write(done.line, file=sys.stdout)
    sys.stdout.flush()  # whoever reads along sees each line at once


def _told(results: Iterator[Done], count: int) -> int:
  """Prints what is said of each file as it comes; returns how many failed."""
  from tqdm import tqdm

  failed = 0
  with tqdm(total=count, disable=None, unit="file") as bar:
    for done in results:
      tell(done)
      bar.update()
      failed += done.failed
  return failed


def _here(
  options: argparse.Namespace, jobs: Sequence[Job], work: Work
) -> Iterator[Done]:
  model = work.load(options.model) if jobs else None
  for job in jobs:
    yield _coded(options, job, work, model)


def _in_processes(
  options: argparse.Namespace, jobs: Sequence[Job], work: Work, count: int
) -> Iterator[Done]:
  """Codes in processes of their own: threads would wait for the range coder.

  Where one ends early, for lack of memory or by a fault in a decoder, the rest
  is coded by one process, whose end tells the file that was its.
  """
  left = list(jobs)
  while left:
    unsaid = yield from _in_pool(options, left, work, count)
    if unsaid and count == 1:
      yield Done(
        f"{unsaid[0].source}: its process ended, perhaps for lack of memory; "
        "scale or crop the image, or get it again",
        failed=True,
      )
      unsaid = unsaid[1:]
    left, count = unsaid, 1


def _in_pool(
  options: argparse.Namespace, jobs: Sequence[Job], work: Work, count: int
) -> Generator[Done, None, list[Job]]:
  """Yields what is said of jobs, and returns those without a word, in order.

  Processes are spawned, for a fork hangs once JAX has run.
  """
  pool = futures.ProcessPoolExecutor(
    count,
    mp_context=multiprocessing.get_context("spawn"),
    initializer=_begin,
    initargs=(options,),
  )
  unsaid = list(jobs)
  try:
    running = {pool.submit(_in_worker, options, j, work): j for j in jobs}
    for future in futures.as_completed(running):
      yield future.result()
      unsaid.remove(running[future])
  except futures.process.BrokenProcessPool:
    pass
  finally:
    pool.shutdown(cancel_futures=True)
  return unsaid


def _begin(options: argparse.Namespace) -> None:
  """Makes a process that ends with its parent, which alone is interrupted."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  threading.Thread(target=_end_with_parent, daemon=True).start()
  process.set_up()
  arguments.import_modules(options)


def _end_with_parent() -> None:
  parent = multiprocessing.parent_process()
  assert parent is not None
  parent.join()
  os._exit(1)


def _in_worker(options: argparse.Namespace, job: Job, work: Work) -> Done:
  return _coded(options, job, work, _loaded(work.load, options.model))


@functools.cache
def _loaded(load: Callable[[str | None], Any], model: str | None) -> Any:
  return load(model)


def _coded(
  options: argparse.Namespace, job: Job, work: Work, model: Any
) -> Done:
  """What is said of a file; what a user can mend is no end."""
  try:
    os.makedirs(Path(job.target).parent, exist_ok=True)
    return work.code(options, model, job)
  except Exception as error:
    message = explain(error)
    if message is None:
      raise
    names = message.startswith(f"{job.source}: ")
    named = message if names else f"{job.source}: {message}"
    return Done(named, failed=True)
