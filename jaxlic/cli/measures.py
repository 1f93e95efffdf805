"""Commands that measure codecs and models."""

import json
import os
from argparse import Namespace
from functools import partial
from typing import Any

from jaxlic import __version__
from jaxlic.errors import JaxlicError


def models(options: Namespace) -> None:
  """The embedded codecs and the registry, with their complexity."""
  codecs, architectures = _codecs(), _architectures()
  if options.json:
    listed = {"codecs": codecs, "architectures": architectures}
    print(json.dumps(listed, indent=1))
    return
  print("Codecs of this package")
  print(_table(codecs))
  print("\nArchitectures")
  print(_table(architectures))


def evaluate(options: Namespace) -> None:
  """Rate and distortion on a folder."""
  import jax
  from tqdm import tqdm

  from jaxlic import metrics, zoo
  from jaxlic.data import images, output
  from jaxlic.evaluation import sweep

  targets = [path for path in (options.out, options.csv) if path]
  for path in targets:
    output.check_target(path)
  if len(targets) > len({os.path.realpath(path) for path in targets}):
    raise JaxlicError(
      f"--out and --csv are two files, got {targets[0]} twice; give another"
    )
  model = zoo.load(options.model or zoo.DEFAULT)
  paths = images.list_photos(options.folder)
  points = sweep.curve(
    paths,
    model=model,
    qualities=options.qualities,
    progress=partial(tqdm, disable=None, unit="image"),
  )
  description = (
    f"jaxlic {__version__}, qualities "
    f"{', '.join(f'{p.quality:g}' for p in points)}; means over {len(paths)} "
    "images of whole files and 8-bit RGB; seconds without compilation on "
    f"{jax.devices()[0].device_kind}"
  )
  print(_table([_rounded(point) for point in points]))
  print(description)
  if any(point.ms_ssim is None for point in points):
    side = metrics.MS_SSIM_MIN_SIDE
    print(f"MS-SSIM needs sides of {side} pixels or more in all images")
  if options.out is not None:
    curve = sweep.to_json(points, name=model.name, description=description)
    text = json.dumps(curve, indent=2, allow_nan=False) + "\n"
    output.write_bytes(options.out, text.encode())
  if options.csv is not None:
    output.write_bytes(options.csv, sweep.to_csv(points).encode())


def demo(options: Namespace) -> None:
  """The photograph of the package, beside JPEG at the same size."""
  from jaxlic import zoo
  from jaxlic.data import images
  from jaxlic.evaluation import beside_jpeg

  images.check_photo_target(options.out)
  model = zoo.load(options.model or zoo.DEFAULT)
  photo = images.read(zoo.DEMO)
  own, jpeg = beside_jpeg.beside_jpeg(
    photo, model=model, quality=options.quality
  )
  panels = [(entry.caption(), entry.pixels) for entry in (own, jpeg)]
  picture = beside_jpeg.side_by_side([("original", photo.pixels), *panels])
  images.write(options.out, images.Photo(picture))
  print(_table([_entry_row(own), _entry_row(jpeg)]))
  print("seconds without compilation")
  if jpeg.size_bytes > own.size_bytes:
    print("no JPEG is as small: this one has its lowest quality")
  print(f"{options.out}: original, jaxlic, JPEG")


def _codecs() -> list[dict[str, Any]]:
  from jaxlic import models as registry
  from jaxlic import zoo
  from jaxlic.evaluation import complexity

  rows = []
  for name in zoo.names():
    codec = zoo.load(name)
    model = registry.make(codec.architecture, **codec.options)
    rows.append(
      {
        "name": name,
        "fingerprint": f"{codec.fingerprint:#010x}",
        "architecture": codec.architecture,
        "max_quality": codec.spec.max_quality,
        "bytes": zoo.size_bytes(zoo.folder(name)),
      }
      | _cost(complexity.measure(model))
    )
  return rows


def _architectures() -> list[dict[str, Any]]:
  from jaxlic import models as registry
  from jaxlic.evaluation import complexity

  return [
    {"name": name} | _cost(complexity.measure(registry.make(name)))
    for name in registry.MODELS
  ]


def _cost(complexity: Any) -> dict[str, Any]:
  return {
    "parameters": complexity.parameters,
    "encode_kmac_per_pixel": round(complexity.encode_kmac, 2),
    "decode_kmac_per_pixel": round(complexity.decode_kmac, 2),
  }


def _rounded(point: Any) -> dict[str, Any]:
  undefined = point.ms_ssim is None
  return {
    "quality": f"{point.quality:g}",
    "bpp": f"{point.bpp:.4f}",
    "estimated": f"{point.estimated_bpp:.4f}",
    "PSNR dB": f"{point.psnr_db:.3f}",
    "MS-SSIM": "-" if undefined else f"{point.ms_ssim:.5f}",
    "encode s": f"{point.encode_s:.3f}",
    "decode s": f"{point.decode_s:.3f}",
  }


def _entry_row(entry: Any) -> dict[str, Any]:
  return {
    "file": entry.name,
    "bytes": entry.size_bytes,
    "bpp": f"{entry.bpp:.4f}",
    "PSNR dB": f"{entry.psnr_db:.3f}",
    "encode s": f"{entry.encode_s:.3f}",
    "decode s": f"{entry.decode_s:.3f}",
  }


def _table(rows: list[dict[str, Any]]) -> str:
  """Columns under their keys; the first is set to the left."""
  head = [key.replace("_", " ") for key in rows[0]]
  lines = [head, *([str(value) for value in row.values()] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  return "\n".join(
    "  ".join(
      [line[0].ljust(widths[0])]
      + [w.rjust(n) for w, n in zip(line[1:], widths[1:], strict=True)]
    ).rstrip()
    for line in lines
  )
