"""What a file holds and its photograph has not, told in a line each."""

from PIL import Image

from jaxlic.data.images import boxes, pictures, png, tiff

# IPTC's record in Photoshop's blocks of JPEG, and its tag in TIFF.
_IPTC_BLOCK, _IPTC_TAG = 0x0404, 33723
# Places in a BMP's header, and sizes of those that state colours: the version 4
# and 5 of Windows' BITMAPV5HEADER.
_BMP_SIZE, _BMP_SPACE, _BMP_END = slice(14, 18), slice(70, 74), 122
_BMP_SIZES, _BMP_PROFILES = (108, 124), (b"DEBM", b"KNIL")


def notes(image: Image.Image, data: bytes, packet: bytes) -> tuple[str, ...]:
  """Returns notes on pictures, colours and metadata that are not read.

  Args:
    image: The image, as its plugin opened it.
    data: The file's bytes, empty if there is no file.
    packet: Its XMP.
  """
  found = _of_format(image, data, packet)
  iptc = _IPTC_BLOCK in image.info.get("photoshop", {})
  iptc |= _IPTC_TAG in getattr(image, "tag_v2", {})
  return (*found, "IPTC metadata was left out") if iptc else found


def _of_format(
  image: Image.Image, data: bytes, packet: bytes
) -> tuple[str, ...]:
  icc = image.info.get("icc_profile")
  if image.format in ("JPEG", "MPO"):
    return pictures.notes_jpeg(data, packet)
  if image.format in ("AVIF", "HEIF"):
    lost = b"Exif" in boxes.item_kinds(data) and not image.info.get("exif")
    damage = ("damaged EXIF was left out",) if lost else ()
    return damage + pictures.notes_items(data)
  if image.format == "TIFF":
    return tiff.notes(image)
  if image.format == "BMP" and _states_colours(data):
    return ("a BMP's own colour space was left out",)
  kinds = (kind for kind, _ in boxes.boxes(data))
  if image.format == "JXL" and b"brob" in kinds:
    return ("compressed metadata (a brob box) was left out",)
  chunks = (name for name, _ in png.chunks(data))
  if image.format == "PNG" and not icc and b"iCCP" in chunks:
    return ("a damaged ICC profile was left out",)
  return ()


def _states_colours(data: bytes) -> bool:
  """Whether a BMP has an ICC profile, or primaries that are not zeros."""
  if int.from_bytes(data[_BMP_SIZE], "little") not in _BMP_SIZES:
    return False
  space = data[_BMP_SPACE]
  calibrated = space == bytes(4) and any(data[_BMP_SPACE.stop : _BMP_END])
  return space in _BMP_PROFILES or calibrated
