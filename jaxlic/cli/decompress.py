"""`jaxlic decompress`: `.jlic` files to images."""

import time
from argparse import Namespace
from functools import partial
from typing import Any

from jaxlic.cli import arguments, batch, jobs, paths

FORMATS = "png jpg jpeg webp avif tif tiff bmp".split()


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "decompress", help="write .jlic files as images"
  )
  command.set_defaults(run=run)
  jobs.add(command, source="IN.jlic", target="OUT.png")
  command.add_argument(
    "--format",
    choices=FORMATS,
    default="png",
    help="of outputs without a name, default png; else their suffix tells",
  )
  arguments.add_strip(command)
  arguments.add_model(command, "of codecs that are not embedded")


def run(options: Namespace) -> int | None:
  """Decodes the files, and writes what they show."""
  from jaxlic.data import images

  kind = jobs.Files(
    suffixes=(".jlic",),
    suffix=f".{options.format}",
    check=partial(images.check_photo_target, force=options.force),
  )
  todo = jobs.plan(options, kind)
  return batch.run(options, todo, batch.Work(_load, _code))


def _load(model: str | None) -> Any:
  """The codec that is named; None: each file's own."""
  from jaxlic import zoo

  return model and zoo.load(model)


def _code(options: Namespace, model: Any, job: jobs.Job) -> batch.Done:
  """Decodes a file, and writes what it shows."""
  from jaxlic import files
  from jaxlic.data import images

  data = paths.read_bytes(job.source)
  start = time.perf_counter()
  with paths.named(job.source):
    photo = files.decompress_photo(data, model=model)
  seconds = time.perf_counter() - start
  if options.strip:
    photo = photo.stripped()
  named = f"-.{options.format}" if job.target == "-" else job.target
  paths.write_bytes(job.target, images.encode(named, photo))
  height, width = photo.pixels.shape[:2]
  line = f"{job.target}: {width}x{height}, {seconds:.2f} s"
  return batch.said(job, line, photo.notes)
