"""Files of images to `.jlic` files and back, by their paths."""

from typing import NamedTuple

from jaxlic import metrics, zoo
from jaxlic.data import images, output
from jaxlic.data.images import Background
from jaxlic.data.images.opening import named_bytes
from jaxlic.files.arguments import (
  MapLike,
  ModelLike,
  Number,
  PathLike,
  number,
  path_of,
  warn_of_notes,
)
from jaxlic.files.photographs import (
  JLIC,
  compress_photo,
  decompress_photo,
)


class Written(NamedTuple):
  """A `.jlic` file that was written."""

  size_bytes: int
  bpp: float  # bits per pixel, of the whole file
  height: int  # of the picture, upright
  width: int


def compress_file(
  path: PathLike,
  target: PathLike,
  *,
  quality: Number | None = None,
  model: ModelLike = zoo.DEFAULT,
  quality_map: MapLike | None = None,
  background: Background = None,
  reduce_depth: bool = False,
  strip: bool = False,
  salvage: bool = False,
  force: bool = False,
) -> Written:
  """Writes an image file as a `.jlic` file; returns its size.

  The picture is turned upright, and its ICC profile, EXIF and XMP are kept.
  What is left out is a warning.

  Args:
    path: The image file.
    target: The file to write.
    quality: As in `compress`.
    model: As in `compress`.
    quality_map: As in `compress`, of the size of the upright picture.
    background: The colour under transparent pixels, as a name or `#rrggbb`.
    reduce_depth: Whether more than 8 bits per sample are rounded to 8.
    strip: Whether EXIF and XMP are left out; the ICC profile is kept.
    salvage: Whether what can be read of a damaged file is taken.
    force: Whether a target that is no `.jlic` file, or read-only, is replaced.

  Raises:
    JaxlicError: As `compress`, or if the image is no whole file of a known
      format, or the target cannot or must not be written.
  """
  source, target = path_of(path), path_of(target)
  output.check_distinct(source, output.check_target(target, JLIC, force=force))
  photo = images.read(
    source,
    background=background,
    reduce_depth=reduce_depth,
    salvage=salvage,
  )
  warn_of_notes(source, photo)
  if strip:
    photo = photo.stripped()
  data = compress_photo(
    photo,
    quality=None if quality is None else number("quality", quality),
    model=model,
    quality_map=quality_map,
  )
  output.write_bytes(target, data)
  height, width = photo.pixels.shape[:2]
  return Written(
    len(data), metrics.bpp(len(data), height, width), height, width
  )


def decompress_file(
  path: PathLike,
  target: PathLike,
  *,
  model: ModelLike | None = None,
  strip: bool = False,
  force: bool = False,
) -> None:
  """Writes a `.jlic` file as an image file, in the format of its suffix.

  Args:
    path: The `.jlic` file.
    target: The file to write, `.png` or another that `jaxlic.data.images.write`
      knows.
    model: As in `decompress`.
    strip: Whether EXIF and XMP are left out.
    force: Whether a target that jaxlic did not write, or that is read-only, is
      replaced.

  Raises:
    JaxlicError: As `decompress`, or if the file cannot be read, or the target
      cannot hold the photograph, or cannot or must not be written.
  """
  source, target = path_of(path), path_of(target)
  output.check_distinct(source, images.check_photo_target(target, force=force))
  _, data = named_bytes(source)
  photo = decompress_photo(data, model=model)
  warn_of_notes(source, photo)
  images.write(target, photo.stripped() if strip else photo)
