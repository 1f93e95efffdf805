"""Which photographs of a source are used, and for what.

Those with a small side are left out, then the first by number are taken, then
the last of these are held out. A source is in the order of the names, if it is
a folder, or a file that `pack` made of one; of several files, one file comes
after the other. Of tiles each counts as a photograph.
"""

from collections.abc import Callable, Sequence
from concurrent import futures
from functools import partial
from typing import NamedTuple

from absl import logging

from jaxlic.data import sources
from jaxlic.data.sources import Record, Source
from jaxlic.errors import JaxlicError


class Selection(NamedTuple):
  """The photographs of a run."""

  trained: Source
  held: Source | None  # None: none are held out
  small: int  # how many were left out because of their side


def select(
  source: Source,
  *,
  smallest_side: int = 0,
  limit: int = 0,
  split: int = 0,
  threads: int = 16,
) -> Selection:
  """Returns the photographs to train on, and those to evaluate.

  Args:
    source: All of them.
    smallest_side: Pixels that both sides have, by the header; 0: any.
    limit: The first so many of the rest are used; 0: all.
    split: The last so many of these are held out; 0: none.
    threads: Threads that read headers; 0 is one.

  Raises:
    JaxlicError: If no photograph is left to train on.
  """
  large = _large(source, smallest_side, threads) if smallest_side else source
  used = take(large, range(min(limit or len(large), len(large))))
  small = len(source) - len(large)
  if not split:
    return Selection(used, None, small)
  return Selection(*_divided(used, split), small)


def take(source: Source, positions: Sequence[int]) -> Source:
  """Returns the photographs at these positions, in their order."""
  if positions == range(len(source)):
    return source
  fetch = partial(_fetch, source.fetch, positions)
  sizes = source.sizes and tuple(source.sizes[i] for i in positions)
  return Source(fetch, len(positions), source.skipped, sizes)


def _fetch(
  fetch: Callable[[int], Record], positions: Sequence[int], i: int
) -> Record:
  return fetch(positions[i])


def _large(source: Source, least: int, threads: int) -> Source:
  """Those with no side below the least."""
  with futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    sides = list(pool.map(partial(_smaller_side, source), range(len(source))))
  kept = [i for i, side in enumerate(sides) if side >= least]
  if not kept:
    raise JaxlicError(
      f"data.smallest_side leaves out photographs with a side below {least} "
      f"pixels, here all {len(source)}: the best has {max(sides)}; lower it"
    )
  return take(source, kept)


def _smaller_side(source: Source, i: int) -> int:
  """In pixels; 0 where the header cannot be read."""
  try:
    return min(sources.size_at(source, i))
  except JaxlicError as error:
    logging.warning("left out: %s", error)
    return 0


def _divided(source: Source, count: int) -> tuple[Source, Source]:
  """All but the last photographs, and these; no tile beside one of these."""
  first = last = len(source) - count
  held_name = _photograph(source, first) if first > 0 else None
  while last > 0 and _photograph(source, last - 1) == held_name:
    last -= 1
  if last < 1:
    raise JaxlicError(
      f"eval.split leaves photographs to train on, got {count} of the "
      f"{len(source)} that are used; lower it"
    )
  return take(source, range(last)), take(source, range(first, len(source)))


def _photograph(source: Source, i: int) -> str | int:
  """What tiles of one photograph have in common; of others their number."""
  try:
    return sources.tile_of(source[i]) or i
  except JaxlicError:
    return i
