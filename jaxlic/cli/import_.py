"""`jaxlic import`: another library's checkpoint to a codec's folder."""

from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, new_codec


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s; it has one of its own per library."""
  command = subparsers.add_parser(
    "import", help="make a codec of another library's checkpoint"
  )
  sources = command.add_subparsers(metavar="SOURCE", required=True)
  _add_compressai(sources)


def _add_compressai(sources: Any) -> None:
  command = sources.add_parser(
    "compressai", help="needs neither it nor PyTorch"
  )
  command.set_defaults(run=run)
  command.add_argument("checkpoint", metavar="CHECKPOINT.pth")
  command.add_argument("target", metavar="OUT_DIR")
  new_codec.add(command)
  command.add_argument(
    "--architecture", metavar="A", help="default: what names and shapes say"
  )
  command.add_argument(
    "--keep-tables",
    action="store_true",
    help="the checkpoint's 16-bit tables, not new ones of 24 bits",
  )
  arguments.add_import(command)


def run(options: Namespace) -> None:
  """Writes the codec of CompressAI's checkpoint."""
  from jaxlic.compressai import convert

  name = new_codec.check(options)
  trained = convert.import_codec(
    options.checkpoint,
    options.target,
    name=name,
    architecture=options.architecture,
    keep_tables=options.keep_tables,
    force=options.force,
  )
  width = trained.options["width"]
  print(
    f"{options.checkpoint}: {trained.architecture}, N = {width}, "
    f"M = {trained.options.get('latent', width)}, "
    f"{convert.parameter_count(trained)} parameters"
  )
  print(new_codec.summary(options, trained))
