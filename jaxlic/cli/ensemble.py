"""`jaxlic ensemble`: codecs to the folder of one that has them all."""

import argparse
from typing import Any

from jaxlic.cli import arguments, new_codec


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "ensemble", help="join codecs; each image gets the best one"
  )
  command.set_defaults(run=run)
  command.add_argument("target", metavar="OUT_DIR")
  command.add_argument("members", nargs="+", metavar="NAME_OR_DIR")
  new_codec.add(command)
  command.add_argument(
    "--lambdas",
    type=_lambdas,
    default=(),
    metavar="L,...",
    help="weights of 255^2 * MSE against bits per pixel, one per whole "
    "quality, ascending; default: the members'",
  )
  arguments.add_import(command)


def run(options: argparse.Namespace) -> None:
  """Writes the codec."""
  from jaxlic import zoo

  name = new_codec.check(options)
  trained = zoo.join(
    options.target,
    name=name,
    members=[zoo.load(member) for member in options.members],
    lambdas=options.lambdas,
    force=options.force,
  )
  print(new_codec.summary(options, trained))


def _lambdas(text: str) -> list[float]:
  try:
    return [float(word) for word in text.split(",")]
  except ValueError:
    raise argparse.ArgumentTypeError(
      f"numbers separated by commas, such as 0.005,0.02,0.1, got {text!r}"
    ) from None
