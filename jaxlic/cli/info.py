"""`jaxlic info`: every field of a file's header; needs no weights."""

import json
from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, paths


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "info", help="show the header of a .jlic file"
  )
  command.set_defaults(run=run)
  command.add_argument("source", metavar="FILE.jlic")
  arguments.add_json(command)


def run(options: Namespace) -> None:
  """Prints the fields."""
  fields = header(paths.read_bytes(options.source))
  if options.json:
    print(json.dumps(fields, indent=1))
    return
  for name, value in fields.items():
    text = f"{value:.4f}" if name == "bpp" else value
    print(f"{name.replace('_', ' '):17} {text}")


def header(data: bytes) -> dict[str, Any]:
  """Returns the fields of a file by name.

  Raises:
    JaxlicError: If it is damaged.
  """
  from jaxlic.coding import container

  bitstream = container.unpack(data)
  payload = bitstream.payload
  return {
    "version": bitstream.version,
    "model": bitstream.model,
    "fingerprint": f"{bitstream.fingerprint:#010x}",
    "width": payload.width,
    "height": payload.height,
    "quality": payload.quality,
    "grey": bitstream.grey,
    "icc_profile_bytes": len(bitstream.icc_profile or b""),
    "check": f"{payload.check:#06x}",
    "payload_bytes": len(payload.data),
    "file_bytes": len(data),
    "bpp": 8 * len(data) / (payload.height * payload.width),
  }
