"""Photographs to `.jlic` bytes and back, at a quality or at a size."""

from jaxlic.files.arguments import (
  ImageLike,
  MapLike,
  ModelLike,
  Number,
  loaded,
  number,
  photo_of,
)
from jaxlic.files.photographs import (
  JLIC,
  compress,
  compress_photo,
  decompress,
  decompress_photo,
)

__all__ = [
  "JLIC",
  "ImageLike",
  "MapLike",
  "ModelLike",
  "Number",
  "compress",
  "compress_photo",
  "decompress",
  "decompress_photo",
  "loaded",
  "number",
  "photo_of",
]
