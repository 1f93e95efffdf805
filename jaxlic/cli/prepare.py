"""`jaxlic prepare`: a folder of photographs to one file for training."""

from argparse import Namespace
from functools import partial
from typing import Any

from jaxlic.cli import arguments


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "prepare", help="pack a folder into one file for training"
  )
  command.set_defaults(run=run)
  command.add_argument("folder", metavar="DIR", help="images in and below it")
  command.add_argument("target", metavar="OUT.array_record")
  command.add_argument(
    "--tile",
    type=int,
    metavar="SIDE",
    help="store samples, cut into tiles: much faster to read, and larger",
  )
  command.add_argument(
    "--max-side",
    type=int,
    metavar="SIDE",
    help="shrink photographs of a longer side to it first, such as 1536",
  )
  arguments.add_force(command)


def run(options: Namespace) -> None:
  """Writes the records, and says what was left out."""
  from tqdm import tqdm

  from jaxlic.data import pack

  packed = pack.pack(
    options.folder,
    options.target,
    tile=options.tile,
    max_side=options.max_side,
    force=options.force,
    progress=partial(tqdm, disable=None, unit="image"),
  )
  print(
    f"{options.target}: {packed.photos} photographs, {packed.records} records, "
    f"{packed.size_bytes} bytes"
  )
  if packed.skipped:
    names = ", ".join(packed.skipped)
    print(f"left out {len(packed.skipped)} unreadable files: {names}")
