"""Quality maps that commands read: grey images beside photographs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxlic.errors import JaxlicError

HELP = (
  "where bits go, as large as the image as displayed: black least, mid-grey "
  "nearly as without a map, white most"
)


def read(path: str | Path, size: tuple[int, int]) -> Any:
  """Returns a quality map [H W] of that size, from a grey image.

  Raises:
    JaxlicError: If it cannot be read, or has another size, or colours.
  """
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


def beside(
  path: str | Path, folder: str | Path, photos: Sequence[Path]
) -> dict[Path, Path]:
  """Returns the quality map of each photograph in a folder.

  Args:
    path: The map of the only photograph; or a folder that has a map for each,
      under the photograph's own path there but for the suffix.
    folder: Where the photographs are.
    photos: Their paths, in it and below it.

  Raises:
    JaxlicError: If a photograph has no map, or several, or the maps lie among
      the photographs.
  """
  path, folder = Path(path), Path(folder)
  if path.resolve().is_relative_to(folder.resolve()):
    raise JaxlicError(
      f"{path}: quality maps lie beside the photographs, this one is in "
      f"{folder}, of which all images are measured; move it"
    )
  if path.is_dir():
    return _in_folder(path, folder, photos)
  if len(photos) > 1:
    raise JaxlicError(
      f"{path}: a quality map is of one image, {folder} holds {len(photos)}; "
      "give a folder of maps by the images' names"
    )
  return {photos[0]: path}


def _in_folder(
  maps: Path, folder: Path, photos: Sequence[Path]
) -> dict[Path, Path]:
  from jaxlic.data import images

  named: dict[Path, list[Path]] = {}
  for found in images.list_photos(maps):
    named.setdefault(found.relative_to(maps).with_suffix(""), []).append(found)
  paired = {}
  for photo in photos:
    name = photo.relative_to(folder).with_suffix("")
    of_photo = named.get(name, [])
    if len(of_photo) != 1:
      raise JaxlicError(
        f"{photo}: has one quality map, got {len(of_photo)} of the name "
        f"{maps / name}; {'remove all but one' if of_photo else 'add it'}"
      )
    paired[photo] = of_photo[0]
  return paired
