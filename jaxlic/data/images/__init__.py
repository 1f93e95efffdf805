"""Photographs in and out, as people have them.

A `Photo` is what the codecs take and give: 8-bit RGB, upright. What a file
holds beyond that (alpha, 16 bits, more frames) is refused with a line that
names the way out, never dropped in silence. ICC profile, EXIF and XMP are kept;
`Photo.notes` tells what was left out: a gain map, a second picture, a video,
damaged EXIF, IPTC. Comments, text chunks and resolutions are not read.
"""

from jaxlic.data.images.flattening import Background
from jaxlic.data.images.listing import READABLE, list_files, list_photos
from jaxlic.data.images.opening import MAX_PIXELS, check_header, header_size
from jaxlic.data.images.photo import Photo
from jaxlic.data.images.pil import from_pil
from jaxlic.data.images.reading import read
from jaxlic.data.images.writing import check_photo_target, encode, write

__all__ = [
  "MAX_PIXELS",
  "READABLE",
  "Background",
  "Photo",
  "check_header",
  "check_photo_target",
  "encode",
  "from_pil",
  "header_size",
  "list_files",
  "list_photos",
  "read",
  "write",
]
