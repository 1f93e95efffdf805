"""A plugin for Pillow: `import jaxlic.pillow` registers the format "JLIC".

    import jaxlic.pillow
    from PIL import Image

    image = Image.open("photo.jlic")  # reads the header, decodes when needed
    image.save("other.jlic", quality=3, exif=image.getexif())

Pillow finds no plugins of other packages by itself (release 13 has no entry
point for them), so that each program imports this once.

Modes are L and RGB. Like Pillow's own plugins it leaves the picture as it is
stored: `ImageOps.exif_transpose` turns it as its EXIF says. A file of a codec
that is not embedded is decoded by `image.load(model=FOLDER)`. As with all
formats of Pillow, a `save` that is refused leaves an existing file empty, and
one with `format="JLIC"` replaces whatever has the name.

`save` takes, beside the mode's pixels:

| argument | is |
|---|---|
| quality, model, quality_map | as in `jaxlic.compress` |
| icc_profile | bytes; by default those of `image.info`, None for none |
| exif | bytes or `Image.Exif`; by default none |
| xmp | bytes or text; by default none |
"""

import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.types import Bitstream

FORMAT, MIME = "JLIC", "image/x-jlic"
_EXIF = b"Exif\0\0"  # before the TIFF structure, wherever Pillow has EXIF


class JlicImageFile(ImageFile.ImageFile):
  """A `.jlic` file, decoded when its pixels are asked for."""

  format = FORMAT
  format_description = "Image of a learned codec, by jaxlic"

  def _open(self) -> None:
    try:
      header = container.unpack_header(self.fp.read())
    except JaxlicError as error:
      raise SyntaxError(str(error)) from error
    self._mode = "L" if header.grey else "RGB"
    self._size = header.payload.width, header.payload.height
    kept = {
      "icc_profile": header.icc_profile,
      "exif": header.exif and _EXIF + header.exif,
      "xmp": header.xmp,
    }
    self.info |= {name: value for name, value in kept.items() if value}
    self.tile = [ImageFile._Tile(FORMAT, (0, 0, *self.size), 0, (None,))]

  def load(self, model: Any = None) -> Any:
    """Decodes the picture, once; returns what reads single pixels.

    Args:
      model: As in `jaxlic.decompress`.

    Raises:
      OSError: If the file is damaged or not of this model.
      ValueError: If it was closed before.
    """
    if self.tile and self.fp is None:
      raise ValueError("Operation on closed image")
    if self.tile and model is not None:
      self.tile = [self.tile[0]._replace(args=(model,))]
    return super().load()

  def verify(self) -> None:
    """Checks the file's CRC; afterwards it is closed.

    Raises:
      OSError: If the file is damaged.
    """
    if self.fp is None:
      raise RuntimeError("verify must be called directly after open")
    self.fp.seek(0)
    try:
      _unpacked(self.fp.read())
    finally:
      super().verify()


class JlicDecoder(ImageFile.PyDecoder):
  """From the whole file to the pixels."""

  _pulls_fd = True

  def decode(self, buffer: Any) -> tuple[int, int]:
    """Sets the pixels; returns what Pillow takes for the end, and no error.

    Raises:
      OSError: If the file is damaged or not of this model.
    """
    from jaxlic import files

    bitstream = _unpacked(self.fd.read())
    try:
      photo = files.decode(bitstream, model=self.args[0])
    except JaxlicError as error:
      raise OSError(str(error)) from error
    grey = photo.grey
    pixels = photo.pixels[..., 0] if grey else photo.pixels
    self.set_as_raw(pixels.tobytes(), "L" if grey else "RGB")
    return -1, 0


def _unpacked(data: bytes) -> Bitstream:
  """The file, its CRC checked."""
  try:
    return container.unpack(data)
  except JaxlicError as error:
    raise OSError(str(error)) from error


def _accept(prefix: bytes) -> bool:
  return prefix.startswith(container.MAGIC)


def _save(image: Image.Image, file: Any, filename: str | bytes) -> None:
  """Writes an image, whose `encoderinfo` holds the arguments of `save`."""
  if image.mode not in ("L", "RGB"):
    raise OSError(f"cannot write mode {image.mode} as {FORMAT}")
  if image.has_transparency_data:
    raise OSError(f"cannot write a transparent colour as {FORMAT}")
  from jaxlic import files

  given = image.encoderinfo
  quality, exif, xmp = (given.get(k) for k in ("quality", "exif", "xmp"))
  if isinstance(exif, Image.Exif):
    exif = exif.tobytes() if exif else None
  xmp = xmp.encode() if isinstance(xmp, str) else xmp
  photo = files.photo_of(np.asarray(image))._replace(
    icc_profile=_profile_of(image, given),
    exif=_bytes_of("EXIF", exif).removeprefix(_EXIF) or None,
    xmp=_bytes_of("XMP", xmp) or None,
  )
  data = files.compress_photo(
    photo,
    quality=None if quality is None else files.number("quality", quality),
    **{k: given[k] for k in ("model", "quality_map") if k in given},
  )
  file.write(data)


def _profile_of(image: Image.Image, given: dict[str, Any]) -> bytes | None:
  """The profile that is given, or else the image's own; None if it misfits."""
  profile = given.get("icc_profile", image.info.get("icc_profile"))
  profile = _bytes_of("an ICC profile", profile)
  space = b"GRAY" if image.mode == "L" else b"RGB "
  if profile and profile[16:20] != space:
    warnings.warn(
      "an ICC profile of other colours than the image's was left out",
      stacklevel=4,
    )
    return None
  return profile or None


def _bytes_of(name: str, value: Any) -> bytes:
  """What is given as bytes, empty for None."""
  if value is None or isinstance(value, bytes | bytearray | memoryview):
    return bytes(value or b"")
  raise TypeError(f"{name} for {FORMAT} is bytes, got {type(value).__name__}")


Image.register_open(FORMAT, JlicImageFile, _accept)
Image.register_decoder(FORMAT, JlicDecoder)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".jlic")
Image.register_mime(FORMAT, MIME)
