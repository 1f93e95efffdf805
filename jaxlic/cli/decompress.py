"""`jaxlic decompress`: a `.jlic` file to an image."""

import time
from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, paths


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "decompress", help="write a .jlic file as an image"
  )
  command.set_defaults(run=run)
  command.add_argument("source", metavar="IN.jlic")
  command.add_argument("target", metavar="OUT.png", help="or another suffix")
  arguments.add_force(command)
  arguments.add_model(command, "of codecs that are not embedded")


def run(options: Namespace) -> None:
  """Decodes the file, and writes what it shows."""
  from jaxlic import files
  from jaxlic.data import images

  target = images.check_photo_target(options.target, force=options.force)
  paths.check_distinct(options.source, target)
  data = paths.read_bytes(options.source)
  start = time.perf_counter()
  photo = files.decompress_photo(data, model=options.model)
  seconds = time.perf_counter() - start
  images.write(options.target, photo)
  height, width = photo.pixels.shape[:2]
  print(f"{options.target}: {width}x{height}, {seconds:.2f} s")
