"""`jaxlic eval`: rate and distortion on a folder of photographs."""

import argparse
import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from jaxlic import __version__
from jaxlic.cli import arguments, quality_maps, table

MOST_QUALITIES = 100_000


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "eval", help="measure rate and distortion on a folder"
  )
  command.set_defaults(run=run)
  command.add_argument(
    "folder",
    metavar="DIR",
    help="images in and below it; one that cannot be read ends the command",
  )
  arguments.add_model(command)
  command.add_argument(
    "--qualities",
    type=_numbers,
    metavar="Q,...",
    help="or first:last:step, such as 0:6:0.1; default all whole ones; codecs "
    "of one rate ignore it",
  )
  command.add_argument(
    "--quality-map",
    metavar="GREY.png_OR_DIR",
    help=f"{quality_maps.HELP}; of the only image, or a folder with one of the "
    "same path, but for the suffix, for each; for codecs of scgain; PSNR and "
    "MS-SSIM weigh all pixels alike",
  )
  command.add_argument("--out", metavar="FILE.json", help="CompressAI's schema")
  command.add_argument("--csv", metavar="FILE.csv", help="a line per quality")
  command.add_argument(
    "--log",
    metavar="FILE.log",
    help="text, a line per quality, as GainedVAE's: s+l, PSNR_AVE in dB, "
    "MS-SSIM_AVE, BPP_AVE and Est_BPP_AVE in bits per pixel",
  )
  arguments.add_force(command)


def run(options: argparse.Namespace) -> None:
  """Measures the curve, prints it, and writes the files that are asked for."""
  from tqdm import tqdm

  from jaxlic import metrics, zoo
  from jaxlic.data import images
  from jaxlic.evaluation import sweep

  _check_targets(options)
  model = zoo.load(options.model or zoo.DEFAULT)
  paths = images.list_photos(options.folder)
  points = sweep.curve(
    paths,
    model=model,
    qualities=options.qualities,
    read_map=_map_reader(options, paths),
    progress=partial(tqdm, disable=None, unit="image"),
  )
  description = _description(points, len(paths), options.quality_map)
  print(table.to_text([_row(point) for point in points]))
  print(description)
  if any(point.ms_ssim is None for point in points):
    side = metrics.MS_SSIM_MIN_SIDE
    print(f"MS-SSIM needs sides of {side} pixels or more in all images")
  _write(options, points, name=model.name, description=description)


def _map_reader(options: argparse.Namespace, paths: list[Path]) -> Any:
  """What reads each photograph's quality map, or None."""
  if options.quality_map is None:
    return None
  maps = quality_maps.beside(options.quality_map, options.folder, paths)
  return lambda path, size: quality_maps.read(maps[path], size)


def _check_targets(options: argparse.Namespace) -> None:
  from jaxlic.data import output
  from jaxlic.evaluation import sweep

  kinds = {"out": sweep.JSON, "csv": sweep.CSV, "log": sweep.LOG}
  for name, kind in kinds.items():
    path = getattr(options, name)
    if path is None:
      continue
    output.check_target(path, kind, force=options.force)
    if options.quality_map is not None:
      output.check_distinct(options.quality_map, path)


def _description(points: list[Any], count: int, quality_map: str | None) -> str:
  """A line on what was measured, on so many images."""
  import jax

  maps = "" if quality_map is None else f" with the quality map {quality_map}"
  return (
    f"jaxlic {__version__}, qualities "
    f"{', '.join(f'{p.quality:g}' for p in points)}{maps}; means over {count} "
    "images of whole files and 8-bit RGB; seconds without compilation on "
    f"{jax.devices()[0].device_kind}"
  )


def _row(point: Any) -> dict[str, Any]:
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


def _write(
  options: argparse.Namespace,
  points: list[Any],
  *,
  name: str,
  description: str,
) -> None:
  from jaxlic.data import output
  from jaxlic.evaluation import sweep

  if options.out is not None:
    curve = sweep.to_json(points, name=name, description=description)
    text = json.dumps(curve, indent=2, allow_nan=False) + "\n"
    output.write_bytes(options.out, text.encode())
  if options.csv is not None:
    output.write_bytes(options.csv, sweep.to_csv(points).encode())
  if options.log is not None:
    output.write_bytes(options.log, sweep.to_log(points).encode())


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
