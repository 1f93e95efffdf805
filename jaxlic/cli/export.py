"""`jaxlic export`: a training's moving average to a codec's folder."""

import argparse
from typing import Any

from jaxlic.cli import arguments, new_codec


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "export", help="make a codec of a training's checkpoint"
  )
  command.set_defaults(run=run)
  command.add_argument("workdir", metavar="WORKDIR", help="of train.py")
  command.add_argument("target", metavar="OUT_DIR")
  new_codec.add(command)
  command.add_argument(
    "--checkpoint",
    type=_checkpoint,
    default="last",
    metavar="last|best|STEP",
    help="default last",
  )
  arguments.add_import(command)


def run(options: argparse.Namespace) -> None:
  """Writes the codec."""
  from jaxlic import zoo
  from jaxlic.training import checkpoints
  from jaxlic.training.run import load_average

  name = new_codec.check(options)
  checkpoints.quieten()
  config, average = load_average(options.workdir, step=options.checkpoint)
  trained = zoo.export(
    options.target,
    name=name,
    architecture=config["model"]["name"],
    options=config["model"]["options"],
    params=average,
    force=options.force,
  )
  print(new_codec.summary(options, trained))


def _checkpoint(text: str) -> str | int:
  if text in ("last", "best"):
    return text
  if text.isdecimal():
    return int(text)
  raise argparse.ArgumentTypeError(f"last, best or a step, got {text!r}")
