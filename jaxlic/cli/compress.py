"""`jaxlic compress`: an image to a `.jlic` file."""

import sys
import time
from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, paths
from jaxlic.errors import JaxlicError


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "compress", help="write an image as a .jlic file"
  )
  command.set_defaults(run=run)
  command.add_argument("source", metavar="IN", help="a single 8-bit image")
  command.add_argument("target", metavar="OUT.jlic")
  _add_wanted(command.add_mutually_exclusive_group())
  command.add_argument(
    "--quality-map",
    metavar="GREY.png",
    help="where bits go, as large as the image as displayed: black least, "
    "mid-grey nearly as without a map, white most; for codecs of scgain",
  )
  arguments.add_model(command)
  arguments.add_force(command)
  command.add_argument(
    "--background",
    metavar="COLOR",
    help="under transparent pixels: white, #123",
  )
  command.add_argument(
    "--reduce-depth", action="store_true", help="round deep samples to 8 bits"
  )


def _add_wanted(group: Any) -> None:
  """The quality, or what to search it for."""
  arguments.add_quality(group)
  group.add_argument(
    "--target-bpp",
    type=float,
    metavar="B",
    help="search the quality whose file has so many bits per pixel, such as "
    "0.5; out of reach gives the nearest file and a warning",
  )
  group.add_argument(
    "--target-psnr",
    type=float,
    metavar="DB",
    help="likewise, whose picture has this PSNR, such as 35",
  )


def run(options: Namespace) -> None:
  """Reads the image, codes it, and says what came out."""
  from jaxlic import files
  from jaxlic.data import images, output

  target = output.check_target(
    options.target, files.JLIC, force=options.force
  )
  paths.check_distinct(options.source, target)
  if options.quality_map:
    paths.check_distinct(options.quality_map, target)
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

  keywords = {
    "model": options.model or zoo.DEFAULT,
    "quality_map": options.quality_map
    and _read_map(options.quality_map, photo.pixels.shape[:2]),
  }
  bpp, psnr_db = options.target_bpp, options.target_psnr
  if bpp is None and psnr_db is None:
    data = files.compress_photo(photo, quality=options.quality, **keywords)
    return data, "", ""
  nearest = search.search(
    photo, target_bpp=bpp, target_psnr_db=psnr_db, **keywords
  )
  return nearest.data, *_words(nearest, bpp, psnr_db)


def _words(
  nearest: Any, bpp: float | None, psnr_db: float | None
) -> tuple[str, str]:
  """Words on a search, and what is wrong with the file, if so."""
  words = f"quality {nearest.quality:.4f} after {nearest.encodes} encodes, "
  if psnr_db is None:
    wanted, value = f"{bpp:g} bpp", f"{nearest.bpp:.4f} bpp"
  else:
    wanted, value = f"{psnr_db:g} dB", f"{nearest.psnr_db:.3f} dB"
    words = f"{value}, {words}"
  if nearest.reached:
    return words, ""
  return words, (
    f"in {nearest.encodes} encodes no quality of this codec gave this image "
    f"{wanted}; wrote the nearest, {value} at quality {nearest.quality:g}"
  )


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
