"""Photographs to `.jlic` bytes and back."""

import jax
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image

from jaxlic import zoo
from jaxlic.coding import container
from jaxlic.data import images, output
from jaxlic.data.images import Background, Photo
from jaxlic.errors import JaxlicError
from jaxlic.files.arguments import (
  BytesLike,
  ImageLike,
  MapLike,
  ModelLike,
  Number,
  loaded,
  number,
  photo_of,
  warn_of_notes,
)
from jaxlic.types import Bitstream
from jaxlic.zoo import Trained

JLIC = output.Kind(
  "a .jlic file", (".jlic",), output.begins_with(container.MAGIC)
)


def compress(
  image: ImageLike,
  *,
  quality: Number | None = None,
  model: ModelLike = zoo.DEFAULT,
  quality_map: MapLike | None = None,
  background: Background = None,
  reduce_depth: bool = False,
  salvage: bool = False,
) -> bytes:
  """Returns the file of an image: RGB, or grey if it has two axes.

  A PIL image is read by the rules for files: it is turned upright, and the file
  has its ICC profile, EXIF and XMP. What is left out is a warning.

  Args:
    image: 8-bit samples, [H W 3] or [H W], or a PIL image.
    quality: 0 (smallest) to the model's best, 6 for embedded ones, any
      number between; None: the middle. Models of one rate ignore it.
    model: Name of an embedded codec, a codec's folder, or a loaded codec.
    quality_map: Where bits go, an array [H W] from 0 (least) over 0.5 (as
      without a map) to 1 (most), for models that take one, such as scgain.
    background: For a PIL image: the colour under transparent pixels, as a name
      or `#rrggbb`.
    reduce_depth: For a PIL image: round more than 8 bits per sample to 8.
    salvage: For a PIL image: take what is left of a damaged one.

  Raises:
    JaxlicError: If the image has other samples or another shape, the quality is
      out of range, or the model is unknown, or takes no quality map; if a PIL
      image is damaged, or has alpha or deep samples without leave.
  """
  photo = photo_of(
    image, background=background, reduce_depth=reduce_depth, salvage=salvage
  )
  warn_of_notes("image", photo)
  return compress_photo(
    photo,
    quality=None if quality is None else number("quality", quality),
    model=model,
    quality_map=quality_map,
  )


def decompress(
  data: BytesLike, *, model: ModelLike | None = None
) -> UInt8[np.ndarray, "H W 3"]:
  """Returns the image of a file, upright; grey has three equal channels.

  Args:
    data: A whole `.jlic` file.
    model: As in `compress`; needed only for codecs that are not embedded.

  Raises:
    JaxlicError: If the file is damaged or not of this model.
  """
  if not isinstance(data, bytes | bytearray | memoryview):
    raise JaxlicError(
      f"a file's data are bytes, got {type(data).__name__}; read the file with "
      "Path.read_bytes, or use jaxlic.decompress_file"
    )
  return decompress_photo(bytes(data), model=model).pixels


def compress_photo(
  photo: Photo,
  *,
  quality: float | None = None,
  model: ModelLike = zoo.DEFAULT,
  quality_map: MapLike | None = None,
) -> bytes:
  """As `compress`, keeping what else a photograph has."""
  trained = loaded(model)
  if quality_map is not None and not trained.spec.takes_map:
    raise JaxlicError(
      f"{trained.name} takes no quality map; name a codec of scgain as model"
    )
  if quality is None:
    quality = trained.spec.max_quality / 2
  payload = trained.codec.encode(
    trained.params,
    trained.tables,
    photo.pixels / np.float32(255),
    quality,
    quality_map,
  )
  return container.pack(
    Bitstream(
      version=container.least_version(exif=photo.exif, xmp=photo.xmp),
      model=trained.name,
      fingerprint=trained.fingerprint,
      grey=photo.grey,
      payload=payload,
      icc_profile=photo.icc_profile,
      exif=photo.exif,
      xmp=photo.xmp,
    )
  )


def decompress_photo(data: bytes, *, model: ModelLike | None = None) -> Photo:
  """As `decompress`, with what else the file keeps."""
  return _upright(decode(container.unpack(data), model=model))


def decode(bitstream: Bitstream, *, model: ModelLike | None) -> Photo:
  """Returns the picture and all beside it as they are in a file.

  It need not be upright, if another program wrote its EXIF.

  Raises:
    JaxlicError: As `decompress`.
  """
  trained = _reader(bitstream, model)
  image = trained.codec.decode(
    trained.params, trained.tables, bitstream.payload
  )
  # Said aloud, for those who have JAX guard against transfers.
  image = jax.device_get(image)
  pixels = np.asarray(np.rint(image * np.float32(255)), np.uint8)
  if bitstream.grey:
    mean = np.rint(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    pixels = np.repeat(mean, 3, -1)
  b = bitstream
  return Photo(pixels, b.grey, b.icc_profile, b.exif, b.xmp)


def _upright(photo: Photo) -> Photo:
  """The photograph turned as its EXIF or XMP says."""
  kept = {
    "exif": photo.exif,
    "xmp": photo.xmp,
    "icc_profile": photo.icc_profile,
  }
  info = {name: value for name, value in kept.items() if value}
  header = Image.new("L", (1, 1))
  header.info = info
  try:
    turned = header.getexif().get(ExifTags.Base.Orientation, 1) != 1
  except Exception:  # damaged EXIF says nothing of the orientation
    return photo
  if not turned:
    return photo
  image = Image.fromarray(photo.pixels[..., 0] if photo.grey else photo.pixels)
  image.info = info
  return images.from_pil(image)


def _reader(bitstream: Bitstream, model: ModelLike | None) -> Trained:
  """The codec that wrote the file."""
  if model is None and bitstream.model not in zoo.names():
    raise JaxlicError(
      f"the file was written by codec {bitstream.model!r}, which is not "
      f"embedded ({', '.join(zoo.names())} are); name its folder as "
      "the model"
    )
  trained = loaded(bitstream.model if model is None else model)
  wrote = bitstream.model, bitstream.fingerprint
  if wrote != (trained.name, trained.fingerprint):
    raise JaxlicError(
      f"the file was written by codec {wrote[0]} {wrote[1]:#010x}, but the "
      f"model is {trained.name} {trained.fingerprint:#010x}; name the codec "
      "that wrote it as the model"
    )
  return trained
