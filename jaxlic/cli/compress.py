"""`jaxlic compress`: images to `.jlic` files."""

import time
from argparse import Namespace
from functools import partial
from typing import Any

from jaxlic.cli import arguments, batch, jobs, paths, quality_maps
from jaxlic.data import output
from jaxlic.errors import JaxlicError


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "compress", help="write images as .jlic files"
  )
  command.set_defaults(run=run)
  jobs.add(command, source="IN", target="OUT.jlic")
  _add_wanted(command.add_mutually_exclusive_group())
  command.add_argument(
    "--quality-map",
    metavar="GREY.png",
    help=f"{quality_maps.HELP}; for codecs of scgain",
  )
  arguments.add_model(command)
  command.add_argument(
    "--background",
    metavar="COLOR",
    help="under transparent pixels: white, #123",
  )
  command.add_argument(
    "--reduce-depth", action="store_true", help="round deep samples to 8 bits"
  )
  command.add_argument(
    "--salvage",
    action="store_true",
    help="take what can be read of a damaged image, with a warning",
  )
  arguments.add_strip(command)


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


def run(options: Namespace) -> int | None:
  """Reads the images, codes them, and says what came out."""
  from jaxlic import files
  from jaxlic.data import images

  kind = jobs.Files(
    suffixes=images.READABLE,
    suffix=".jlic",
    check=partial(output.check_target, kind=files.JLIC, force=options.force),
  )
  todo = jobs.plan(options, kind)
  _check_map(options)
  return batch.run(options, todo, batch.Work(_load, _code))


def _check_map(options: Namespace) -> None:
  """A quality map belongs to one image, and is not written over."""
  if options.quality_map is None:
    return
  if options.output_dir is not None:
    raise JaxlicError(
      "--quality-map is of one image, --output-dir for many; give one of them"
    )
  output.check_distinct(options.quality_map, options.paths[-1])


def _load(model: str | None) -> Any:
  from jaxlic import zoo

  return zoo.load(model or zoo.DEFAULT)


def _code(options: Namespace, model: Any, job: jobs.Job) -> batch.Done:
  """Reads an image, codes it, and writes the file."""
  from jaxlic.data import images

  source = paths.read_bytes("-") if job.source == "-" else job.source
  photo = images.read(
    source,
    background=options.background,
    reduce_depth=options.reduce_depth,
    salvage=options.salvage,
  )
  if options.strip:
    photo = photo.stripped()
  start = time.perf_counter()
  data, words, warning = _encoded(options, model, photo)
  seconds = time.perf_counter() - start
  paths.write_bytes(job.target, data)
  height, width = photo.pixels.shape[:2]
  line = (
    f"{job.target}: {len(data)} bytes, "
    f"{8 * len(data) / (height * width):.4f} bpp, {width}x{height}, {words}"
    f"{seconds:.2f} s"
  )
  return batch.said(job, line, (*photo.notes, *warning))


def _encoded(
  options: Namespace, model: Any, photo: Any
) -> tuple[bytes, str, tuple[str, ...]]:
  """The file, words on the search for it, and what is wrong with it, if so."""
  from jaxlic import files
  from jaxlic.files import search

  keywords = {
    "model": model,
    "quality_map": options.quality_map
    and quality_maps.read(options.quality_map, photo.pixels.shape[:2]),
  }
  bpp, psnr_db = options.target_bpp, options.target_psnr
  if bpp is None and psnr_db is None:
    data = files.compress_photo(photo, quality=options.quality, **keywords)
    return data, "", ()
  nearest = search.search(
    photo, target_bpp=bpp, target_psnr_db=psnr_db, **keywords
  )
  return nearest.data, *_words(nearest, bpp, psnr_db)


def _words(
  nearest: Any, bpp: float | None, psnr_db: float | None
) -> tuple[str, tuple[str, ...]]:
  """Words on a search, and what is wrong with the file, if so."""
  words = f"quality {nearest.quality:.4f} after {nearest.encodes} encodes, "
  if psnr_db is None:
    wanted, value = f"{bpp:g} bpp", f"{nearest.bpp:.4f} bpp"
  else:
    wanted, value = f"{psnr_db:g} dB", f"{nearest.psnr_db:.3f} dB"
    words = f"{value}, {words}"
  if nearest.reached:
    return words, ()
  return words, (
    f"in {nearest.encodes} encodes no quality of this codec gave this image "
    f"{wanted}; wrote the nearest, {value} at quality {nearest.quality:g}",
  )
