"""`jaxlic models`: the embedded codecs and the registry, with their cost."""

import json
from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, table


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "models", help="list codecs and architectures, and their cost"
  )
  command.set_defaults(run=run)
  arguments.add_json(command)
  arguments.add_import(command)


def run(options: Namespace) -> None:
  """Prints both lists."""
  codecs, architectures = _codecs(), _architectures()
  if options.json:
    listed = {"codecs": codecs, "architectures": architectures}
    print(json.dumps(listed, indent=1))
    return
  print("Codecs of this package")
  print(table.to_text(codecs))
  print("\nArchitectures")
  print(table.to_text(architectures))


def _codecs() -> list[dict[str, Any]]:
  from jaxlic import models, zoo
  from jaxlic.evaluation import complexity

  rows = []
  for name in zoo.names():
    codec = zoo.load(name)
    model = models.make(codec.architecture, **codec.options)
    rows.append(
      {
        "name": name,
        "fingerprint": f"{codec.fingerprint:#010x}",
        "architecture": codec.architecture,
        "max_quality": codec.spec.max_quality,
        "bytes": zoo.size_bytes(zoo.embedded_folder(name)),
      }
      | _cost(complexity.measure(model))
    )
  return rows


def _architectures() -> list[dict[str, Any]]:
  from jaxlic import models
  from jaxlic.evaluation import complexity

  return [
    {"name": name} | _cost(complexity.measure(models.make(name)))
    for name in models.names()
  ]


def _cost(complexity: Any) -> dict[str, Any]:
  return {
    "parameters": complexity.parameters,
    "encode_kmac_per_pixel": round(complexity.encode_kmac, 2),
    "decode_kmac_per_pixel": round(complexity.decode_kmac, 2),
  }
