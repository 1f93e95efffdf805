"""Which files a command codes, and where each goes: judged before work."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxlic.cli import arguments, paths
from jaxlic.data import output
from jaxlic.errors import JaxlicError


class Job(NamedTuple):
  """A file to be coded."""

  source: str  # a path, or - for standard input
  target: str  # a path, or - for standard output


class Plan(NamedTuple):
  """What a command is to do."""

  jobs: list[Job]
  skipped: int  # outputs that were there


class Files(NamedTuple):
  """What tells the files of one command from those of another."""

  suffixes: Sequence[str]  # of inputs that are looked for in folders
  suffix: str  # of outputs that get their names here
  check: Callable[[str], Path]  # refuses a target, or returns its file


def add(command: arguments.Parser, *, source: str, target: str) -> None:
  """Adds the words for files to a command, for `plan` and `batch.run`."""
  command.usage = (
    f"%(prog)s {source} {target} [options]\n       "
    f"%(prog)s {source} ... --output-dir DIR [options]"
  )
  command.add_argument(
    "paths",
    nargs="+",
    metavar=f"{source} {target}",
    help="- is standard input, or output; with --output-dir all are inputs, "
    "and a folder stands for the files in it",
  )
  command.add_argument(
    "--output-dir", metavar="DIR", help="where many outputs go; made if missing"
  )
  group = command.add_argument_group("with --output-dir")
  group.add_argument(
    "--recursive", action="store_true", help="look below folders, too"
  )
  group.add_argument(
    "--jobs",
    type=_positive,
    metavar="N",
    help="processes, each with memory for a whole image; default 1",
  )
  group.add_argument(
    "--shard",
    type=_shard,
    metavar="K/N",
    help="only every N-th file, from the K-th on, for arrays of N jobs; "
    "1/N to N/N",
  )
  group.add_argument(
    "--skip-existing", action="store_true", help="leave out what is there"
  )
  arguments.add_force(command)


def plan(options: argparse.Namespace, kind: Files) -> Plan:
  """Returns what is to be coded, none of which loses a file.

  Raises:
    JaxlicError: If the words make no sense together, two inputs would have one
      output, or an output would replace an input or what is not its kind.
  """
  if options.output_dir is None:
    return Plan([_single(options, kind)], 0)
  first, step = options.shard or (1, 1)
  # Before anything depends on what other shards have written by now.
  jobs = _unlike(_named(options, kind))[first - 1 :: step]
  there = {job for job in jobs if os.path.lexists(job.target)}
  for job in sorted(there):
    output.check_distinct(job.source, job.target)
    if not options.skip_existing:
      kind.check(job.target)
  if options.skip_existing:
    return Plan([job for job in jobs if job not in there], len(there))
  return Plan(jobs, 0)


def _single(options: argparse.Namespace, kind: Files) -> Job:
  for word in ("recursive", "jobs", "shard", "skip_existing"):
    if getattr(options, word):
      flag = "--" + word.replace("_", "-")
      raise JaxlicError(f"{flag} goes with --output-dir; give that, too")
  if len(options.paths) == 1:
    raise JaxlicError(
      f"{options.paths[0]}: its output is missing; name it, or give "
      "--output-dir"
    )
  if len(options.paths) > 2:
    raise JaxlicError(
      f"one input has one output, got {len(options.paths)} paths; for many "
      "inputs give --output-dir"
    )
  if os.path.isdir(options.paths[0]):
    raise JaxlicError(
      f"{options.paths[0]}: a folder is many inputs; give --output-dir"
    )
  job = Job(*options.paths)
  if job.target == "-":
    paths.check_no_terminal()
    return job
  if Path(job.target).suffix.lower() in kind.suffixes:
    raise JaxlicError(
      f"{job.target}: a second input, where the output is named; name one that "
      f"ends in {kind.suffix}, or for many inputs give --output-dir"
    )
  output.check_distinct(job.source, kind.check(job.target))
  return job


def _named(options: argparse.Namespace, kind: Files) -> Iterator[Job]:
  """The jobs of all inputs; a file that is named twice is one."""
  folder = options.output_dir
  if not folder or (os.path.exists(folder) and not os.path.isdir(folder)):
    raise JaxlicError(f"--output-dir is a folder, got {folder!r}; give one")
  seen = set()
  for word in options.paths:
    for source, below in _found(word, options.recursive, kind.suffixes):
      target = str(Path(folder, below).with_suffix(kind.suffix))
      if (os.path.realpath(source), target) not in seen:
        seen.add((os.path.realpath(source), target))
        yield Job(source, target)


def _found(
  word: str, recursive: bool, suffixes: Sequence[str]
) -> Iterator[tuple[str, Path]]:
  """The files that a word stands for, with their paths below its folder."""
  from jaxlic.data import images

  if word == "-":
    raise JaxlicError("standard input is one file; give it one output, not -")
  if not os.path.isdir(word):
    yield word, Path(Path(word).name)
    return
  for path in images.list_files(word, suffixes, recursive=recursive):
    yield str(path), path.relative_to(word)


def _unlike(jobs: Iterator[Job]) -> list[Job]:
  """The jobs, if no two have one target."""
  sources: dict[str, str] = {}
  listed = list(jobs)
  for job in listed:
    # Some file systems do not tell A.jlic from a.jlic.
    other = sources.setdefault(job.target.casefold(), job.source)
    if other != job.source:
      raise JaxlicError(
        f"{other} and {job.source} would both become {job.target}; rename one, "
        "or code them apart"
      )
  return listed


def _positive(text: str) -> int:
  if text.isdecimal() and int(text):
    return int(text)
  raise argparse.ArgumentTypeError(f"a number from 1 on, got {text!r}")


def _shard(text: str) -> tuple[int, int]:
  first, slash, count = text.partition("/")
  if slash and first.isdecimal() and count.isdecimal():
    if 1 <= int(first) <= int(count):
      return int(first), int(count)
  raise argparse.ArgumentTypeError(
    f"K/N with K from 1 to N, such as 1/4, got {text!r}"
  )
