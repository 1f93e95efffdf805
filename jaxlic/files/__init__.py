"""Photographs to `.jlic` bytes and back, at a quality or at a size."""

from jaxlic.files.photographs import (
  ImageLike,
  MapLike,
  ModelLike,
  Number,
  compress,
  compress_photo,
  decompress,
  decompress_photo,
  loaded,
  number,
  photo_of,
)

__all__ = [
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
