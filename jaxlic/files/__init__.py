"""Photographs to `.jlic` bytes and back, at a quality or at a size."""

from jaxlic.files.arguments import (
  ImageLike,
  MapLike,
  ModelLike,
  Number,
  loaded,
  number,
  photo_of,
  warn_of_notes,
)
from jaxlic.files.by_path import Written, compress_file, decompress_file
from jaxlic.files.photographs import (
  JLIC,
  compress,
  compress_photo,
  decode,
  decompress,
  decompress_photo,
)

__all__ = [
  "JLIC",
  "ImageLike",
  "MapLike",
  "ModelLike",
  "Number",
  "Written",
  "compress",
  "compress_file",
  "compress_photo",
  "decode",
  "decompress",
  "decompress_file",
  "decompress_photo",
  "loaded",
  "number",
  "photo_of",
  "warn_of_notes",
]
