"""Commands that turn files into other files, or show what is in them."""

import json
import os
import re
import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from jaxlic.coding import container
from jaxlic.errors import JaxlicError


def compress(options: Namespace) -> None:
  """Image to `.jlic`."""
  from jaxlic.data import images, output

  target = output.check_target(options.target)
  _check_paths(options.source, target)
  if options.quality_map:
    _check_paths(options.quality_map, target)
  photo = images.read(
    options.source,
    background=options.background,
    reduce_depth=options.reduce_depth,
  )
  start = time.perf_counter()
  data, words, warning = _encoded(options, photo)
  seconds = time.perf_counter() - start
  output.write_bytes(options.target, data)
  height, width = photo.pixels.shape[:2]
  print(
    f"{options.target}: {len(data)} bytes, "
    f"{8 * len(data) / (height * width):.4f} bpp, {width}x{height}, {words}"
    f"{seconds:.2f} s"
  )
  if warning:
    print(f"jaxlic: warning: {warning}", file=sys.stderr)


def _encoded(options: Namespace, photo: Any) -> tuple[bytes, str, str]:
  """The file, words on the search for it, and what is wrong with it, if so."""
  from jaxlic import files, zoo
  from jaxlic.files import search

  arguments = {
    "model": options.model or zoo.DEFAULT,
    "quality_map": options.quality_map
    and _read_map(options.quality_map, photo.pixels.shape[:2]),
  }
  bpp, psnr_db = options.target_bpp, options.target_psnr
  if bpp is None and psnr_db is None:
    data = files.compress_photo(photo, quality=options.quality, **arguments)
    return data, "", ""
  found = search.search(
    photo, target_bpp=bpp, target_psnr_db=psnr_db, **arguments
  )
  words = f"quality {found.quality:.4f} after {found.encodes} encodes, "
  if psnr_db is None:
    wanted, nearest = f"{bpp:g} bpp", f"{found.bpp:.4f} bpp"
  else:
    wanted, nearest = f"{psnr_db:g} dB", f"{found.psnr_db:.3f} dB"
    words = f"{nearest}, {words}"
  if found.reached:
    return found.data, words, ""
  warning = (
    f"in {found.encodes} encodes no quality of this codec gave this image "
    f"{wanted}; wrote the nearest, {nearest} at quality {found.quality:g}"
  )
  return found.data, words, warning


def _read_map(path: str, size: tuple[int, int]) -> Any:
  """A quality map of that size (h, w), from a grey image."""
  from jaxlic.data import images

  pixels = images.read(path, reduce_depth=True).pixels
  height, width = pixels.shape[:2]
  if (height, width) != size:
    raise JaxlicError(
      f"{path}: a quality map is as large as the image as displayed, "
      f"{size[1]}x{size[0]}, got {width}x{height}; resize it"
    )
  if (pixels != pixels[..., :1]).any():
    raise JaxlicError(
      f"{path}: a quality map is a grey image, got one with colours; convert it"
    )
  return pixels[..., 0] / 255


def decompress(options: Namespace) -> None:
  """`.jlic` to image."""
  from jaxlic import files
  from jaxlic.data import images

  _check_paths(options.source, images.check_photo_target(options.target))
  data = _read(options.source)
  start = time.perf_counter()
  photo = files.decompress_photo(data, model=options.model)
  seconds = time.perf_counter() - start
  images.write(options.target, photo)
  height, width = photo.pixels.shape[:2]
  print(f"{options.target}: {width}x{height}, {seconds:.2f} s")


def info(options: Namespace) -> None:
  """Every field of a header; needs no weights."""
  fields = header(_read(options.source))
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
  b = container.unpack(data)
  return {
    "version": b.version,
    "model": b.model,
    "fingerprint": f"{b.fingerprint:#010x}",
    "width": b.width,
    "height": b.height,
    "quality": b.rate,
    "grey": b.grey,
    "icc_profile_bytes": len(b.icc_profile or b""),
    "check": f"{b.check:#06x}",
    "payload_bytes": len(b.data),
    "file_bytes": len(data),
    "bpp": 8 * len(data) / (b.height * b.width),
  }


def export(options: Namespace) -> None:
  """A run's moving average to a codec's folder."""
  from jaxlic import zoo
  from jaxlic.training.run import load_average

  config, average = load_average(options.workdir, step=options.checkpoint)
  trained = zoo.export(
    options.target,
    name=_codec_name(options),
    architecture=config["model"]["name"],
    options=config["model"]["options"],
    params=average,
  )
  print(_codec_line(options, trained))


def ensemble(options: Namespace) -> None:
  """Codecs to the folder of one that has them all."""
  from jaxlic import zoo

  trained = zoo.join(
    options.target,
    name=_codec_name(options),
    members=[zoo.load(member) for member in options.members],
    lambdas=options.lambdas,
  )
  print(_codec_line(options, trained))


def import_compressai(options: Namespace) -> None:
  """A checkpoint of CompressAI to a codec's folder."""
  from jaxlic.compressai import convert

  trained = convert.import_codec(
    options.checkpoint,
    options.target,
    name=_codec_name(options),
    architecture=options.architecture,
    keep_tables=options.keep_tables,
  )
  width = trained.options["width"]
  print(
    f"{options.checkpoint}: {trained.architecture}, N = {width}, "
    f"M = {trained.options.get('latent', width)}, "
    f"{convert.parameter_count(trained)} parameters"
  )
  print(_codec_line(options, trained))


def _name_of(folder: str) -> str:
  """A codec's name, as a file can hold it, from its folder's."""
  last = Path(folder).resolve().name
  name = re.sub(r"[^a-z0-9._-]+", "-", last.lower())[:64]
  if not name.strip("-"):
    raise JaxlicError(
      f"a codec's name has characters of a-z 0-9 . _ -, {folder} has none; "
      "give it one with --name"
    )
  return name


def prepare(options: Namespace) -> None:
  """A folder of photographs to one file for training."""
  from tqdm import tqdm

  from jaxlic.data import pack

  packed = pack.pack(
    options.folder,
    options.target,
    tile=options.tile,
    max_side=options.max_side,
    progress=partial(tqdm, disable=None, unit="image"),
  )
  print(
    f"{options.target}: {packed.photos} photographs, {packed.records} records, "
    f"{packed.size_bytes} bytes"
  )
  if packed.skipped:
    names = ", ".join(packed.skipped)
    print(f"left out {len(packed.skipped)} unreadable files: {names}")


def _codec_name(options: Namespace) -> str:
  return options.name or _name_of(options.target)


def _codec_line(options: Namespace, trained: Any) -> str:
  from jaxlic import zoo

  return (
    f"{options.target}: codec {trained.name} {trained.fingerprint:#010x}, "
    f"{zoo.size_bytes(options.target)} bytes"
  )


def _check_paths(source: str, target: Path) -> None:
  """Refuses to write, as `target`, what is read."""
  if os.path.exists(source) and target.exists():
    if os.path.samefile(source, target):
      raise JaxlicError(
        f"{source}: the output would replace the input; give another path"
      )


def _read(path: str) -> bytes:
  try:
    return Path(path).read_bytes()
  except (OSError, ValueError) as error:
    reason = getattr(error, "strerror", None) or error
    raise JaxlicError(f"{path}: cannot read ({reason}); check it") from error
