"""`jaxlic info`: every field of a file's header; needs no weights."""

import json
import math
import warnings
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
  data = paths.read_bytes(options.source)
  with paths.named(options.source):
    fields = header(data)
  if options.json:
    print(json.dumps(fields, indent=1))
    return
  for name, value in fields.items():
    text = f"{value:.4f}" if name == "bpp" else value
    # What a camera wrote may hold any character, those that steer a terminal
    # among them.
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    print(f"{name.replace('_', ' '):17} {shown}")


def header(data: bytes) -> dict[str, Any]:
  """Returns the fields of a file by name.

  Raises:
    JaxlicError: If it is damaged.
  """
  from jaxlic.coding import container

  bitstream = container.unpack(data)
  payload = bitstream.payload
  exif = bitstream.exif
  return {
    "version": bitstream.version,
    "model": bitstream.model,
    "fingerprint": f"{bitstream.fingerprint:#010x}",
    "width": payload.width,
    "height": payload.height,
    "quality": payload.quality,
    "grey": bitstream.grey,
    "icc_profile_bytes": len(bitstream.icc_profile or b""),
    "exif_bytes": len(exif or b""),
    "xmp_bytes": len(bitstream.xmp or b""),
    **({} if exif is None else _camera(exif)),
    "check": f"{payload.check:#0{6 if bitstream.version == 1 else 10}x}",
    "payload_bytes": len(payload.data),
    "file_bytes": len(data),
    "bpp": 8 * len(data) / (payload.height * payload.width),
  }


def _camera(exif: bytes) -> dict[str, Any]:
  """What EXIF says of camera, time, exposure and place, as far as it does."""
  from PIL import ExifTags, Image

  tags = Image.Exif()
  base = ExifTags.Base
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")  # of damaged entries, which are left out
      tags.load(exif)
      values = {**tags, **tags.get_ifd(ExifTags.IFD.Exif)}
      gps = bool(tags.get_ifd(ExifTags.IFD.GPSInfo))
      fields = {
        "camera_make": _text(values.get(base.Make)),
        "camera_model": _text(values.get(base.Model)),
        "taken": _text(values.get(base.DateTimeOriginal)),
        "exposure_s": _number(values.get(base.ExposureTime)),
        "f_number": _number(values.get(base.FNumber)),
        "iso": _number(values.get(base.ISOSpeedRatings)),
      }
  except Exception:  # Pillow raises many kinds
    return {"exif": "damaged"}
  known = {name: value for name, value in fields.items() if value is not None}
  return known | {"gps": gps}


def _text(value: Any) -> str | None:
  return value.strip("\0 ") if isinstance(value, str) else None


def _number(value: Any) -> float | None:
  """A number of JSON, which knows no infinity and no NaN."""
  first = value[0] if isinstance(value, tuple) and value else value
  try:
    return float(first) if math.isfinite(first) else None
  except (TypeError, ZeroDivisionError):
    return None
