"""The words of the command line."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from jaxlic import __version__
from jaxlic.cli import commands, measures

QUALITIES = "0,1,2,3,4,5,6"
_MODEL_HELP = "an embedded codec, or a codec's folder"
_NAME_HELP = (
  "kept in every file; default: OUT_DIR's last part in lower case, with - for "
  "what is none of a-z 0-9 . _"
)


class Parser(argparse.ArgumentParser):
  """Says what is wrong in one line."""

  def error(self, message: str) -> NoReturn:
    """Exits with code 2."""
    line = " ".join(message.split())
    self.exit(2, f"jaxlic: {line}; see {self.prog} --help\n")


def build() -> Parser:
  """Returns the parser; what it parses has the command as `run(options)`."""
  parser = Parser(
    prog="jaxlic",
    description="Learned image compression in JAX.",
    allow_abbrev=False,
  )
  version = f"jaxlic {__version__}"
  parser.add_argument("--version", action="version", version=version)
  add = parser.add_subparsers(metavar="COMMAND", required=True).add_parser
  _add_files(add)
  _add_measures(add)
  return parser


def _add_files(add: Callable) -> None:
  command = add("compress", help="write an image as a .jlic file")
  command.set_defaults(run=commands.compress)
  command.add_argument("source", metavar="IN", help="a single 8-bit image")
  command.add_argument("target", metavar="OUT.jlic")
  _add_quality(command)
  command.add_argument("--model", metavar="NAME_OR_DIR", help=_MODEL_HELP)
  command.add_argument(
    "--background",
    metavar="COLOR",
    help="under transparent pixels: white, #123",
  )
  command.add_argument(
    "--reduce-depth", action="store_true", help="round deep samples to 8 bits"
  )

  command = add("decompress", help="write a .jlic file as an image")
  command.set_defaults(run=commands.decompress)
  command.add_argument("source", metavar="IN.jlic")
  command.add_argument("target", metavar="OUT.png", help="or another suffix")
  command.add_argument(
    "--model", metavar="NAME_OR_DIR", help="of codecs that are not embedded"
  )

  command = add("info", help="show the header of a .jlic file")
  command.set_defaults(run=commands.info)
  command.add_argument("source", metavar="FILE.jlic")
  _add_json(command)

  command = add("export", help="make a codec of a training's checkpoint")
  command.set_defaults(run=commands.export)
  command.add_argument("workdir", metavar="WORKDIR", help="of train.py")
  command.add_argument("target", metavar="OUT_DIR")
  command.add_argument("--name", help=_NAME_HELP)
  command.add_argument(
    "--checkpoint",
    type=_checkpoint,
    default="last",
    metavar="last|best|STEP",
    help="default last",
  )

  command = add("import", help="make a codec of another library's checkpoint")
  sources = command.add_subparsers(metavar="SOURCE", required=True)
  command = sources.add_parser(
    "compressai", help="needs neither it nor PyTorch"
  )
  command.set_defaults(run=commands.import_compressai)
  command.add_argument("checkpoint", metavar="CHECKPOINT.pth")
  command.add_argument("target", metavar="OUT_DIR")
  command.add_argument("--name", help=_NAME_HELP)
  command.add_argument(
    "--architecture", metavar="A", help="default: what names and shapes say"
  )
  command.add_argument(
    "--keep-tables",
    action="store_true",
    help="the checkpoint's 16-bit tables, not new ones of 24 bits",
  )

  command = add("prepare", help="pack a folder into one file for training")
  command.set_defaults(run=commands.prepare)
  command.add_argument("folder", metavar="DIR", help="images in and below it")
  command.add_argument("target", metavar="OUT.array_record")
  command.add_argument(
    "--tile",
    type=int,
    metavar="SIDE",
    help="store samples, cut into tiles: much faster to read, and larger",
  )


def _add_measures(add: Callable) -> None:
  command = add("models", help="list codecs and architectures, and their cost")
  command.set_defaults(run=measures.models)
  _add_json(command)

  command = add("eval", help="measure rate and distortion on a folder")
  command.set_defaults(run=measures.evaluate)
  command.add_argument(
    "folder",
    metavar="DIR",
    help="images in and below it; one that cannot be read ends the command",
  )
  command.add_argument("--model", metavar="NAME_OR_DIR", help=_MODEL_HELP)
  command.add_argument(
    "--qualities",
    type=_numbers,
    default=_numbers(QUALITIES),
    metavar="Q,Q,...",
    help=f"default {QUALITIES}; models of one rate ignore it",
  )
  command.add_argument("--out", metavar="FILE.json", help="CompressAI's schema")

  command = add("demo", help="compare a photograph with JPEG at the same size")
  command.set_defaults(run=measures.demo)
  command.add_argument(
    "--out",
    default="side-by-side.png",
    metavar="FILE.png",
    help="the comparison as a picture, default side-by-side.png",
  )
  _add_quality(command)
  command.add_argument("--model", metavar="NAME_OR_DIR", help=_MODEL_HELP)


def _add_quality(command: argparse.ArgumentParser) -> None:
  command.add_argument(
    "--quality",
    type=float,
    default=3.0,
    metavar="Q",
    help="0 (smallest) to 6 (best), any number between; default 3; codecs of "
    "one rate ignore it",
  )


def _add_json(command: argparse.ArgumentParser) -> None:
  command.add_argument("--json", action="store_true", help="for programs")


def _checkpoint(text: str) -> str | int:
  if text in ("last", "best"):
    return text
  if text.isdecimal():
    return int(text)
  raise argparse.ArgumentTypeError(f"last, best or a step, got {text!r}")


def _numbers(text: str) -> list[float]:
  try:
    return [float(word) for word in text.split(",")]
  except ValueError:
    raise argparse.ArgumentTypeError(
      f"numbers separated by commas, such as 0,3.5,6, got {text!r}"
    ) from None
