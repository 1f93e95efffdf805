"""The words of the command line."""

import argparse
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from jaxlic import __version__
from jaxlic.cli import commands, measures

MOST_QUALITIES = 100_000
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
  wanted = command.add_mutually_exclusive_group()
  _add_quality(wanted)
  wanted.add_argument(
    "--target-bpp",
    type=float,
    metavar="B",
    help="search the quality whose file has so many bits per pixel, such as "
    "0.5; out of reach gives the nearest file and a warning",
  )
  wanted.add_argument(
    "--target-psnr",
    type=float,
    metavar="DB",
    help="likewise, whose picture has this PSNR, such as 35",
  )
  command.add_argument(
    "--quality-map",
    metavar="GREY.png",
    help="where bits go, as large as the image as displayed: black least, "
    "mid-grey nearly as without a map, white most; for codecs of scgain",
  )
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

  command = add("ensemble", help="join codecs; each image gets the best one")
  command.set_defaults(run=commands.ensemble)
  command.add_argument("target", metavar="OUT_DIR")
  command.add_argument("members", nargs="+", metavar="NAME_OR_DIR")
  command.add_argument("--name", help=_NAME_HELP)
  command.add_argument(
    "--lambdas",
    type=_lambdas,
    default=(),
    metavar="L,...",
    help="weights of 255^2 * MSE against bits per pixel, one per whole "
    "quality, ascending; default: the members'",
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
  command.add_argument(
    "--max-side",
    type=int,
    metavar="SIDE",
    help="shrink photographs of a longer side to it first, such as 1536",
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
    metavar="Q,...",
    help="or first:last:step, such as 0:6:0.1; default all whole ones; codecs "
    "of one rate ignore it",
  )
  command.add_argument("--out", metavar="FILE.json", help="CompressAI's schema")
  command.add_argument("--csv", metavar="FILE.csv", help="a line per quality")

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


def _add_quality(command: Any) -> None:
  """To a command, or to a group of its arguments."""
  command.add_argument(
    "--quality",
    type=float,
    metavar="Q",
    help="0 (smallest) to the codec's best, 6 for the embedded one, any number "
    "between; default: the middle, here 3; codecs of one rate ignore it",
  )


def _add_json(command: argparse.ArgumentParser) -> None:
  command.add_argument("--json", action="store_true", help="for programs")


def _lambdas(text: str) -> list[float]:
  try:
    return [float(word) for word in text.split(",")]
  except ValueError:
    raise argparse.ArgumentTypeError(
      f"numbers separated by commas, such as 0.005,0.02,0.1, got {text!r}"
    ) from None


def _checkpoint(text: str) -> str | int:
  if text in ("last", "best"):
    return text
  if text.isdecimal():
    return int(text)
  raise argparse.ArgumentTypeError(f"last, best or a step, got {text!r}")


def _numbers(text: str) -> list[float]:
  try:
    return [n for word in text.split(",") for n in _range(word)]
  except (ArithmeticError, ValueError):
    raise argparse.ArgumentTypeError(
      "numbers separated by commas, or first:last:step with a step above 0, "
      f"such as 0,3.5,6 or 0:6:0.1, got {text!r}"
    ) from None


def _range(word: str) -> list[float]:
  """A number, or those of first:last:step, the last included."""
  if ":" not in word:
    return [float(word)]
  first, last, step = map(Decimal, word.split(":"))
  count = (last - first) / step if step > 0 else Decimal("nan")
  if not 0 <= count < MOST_QUALITIES:
    raise ValueError(word)
  # Decimals, so that the tenth 0.1 is 1.
  return [float(first + k * step) for k in range(int(count) + 1)]
