"""Photographs to `.jlic` bytes and back."""

import numpy as np
from jaxtyping import UInt8

from jaxlic import pretrained
from jaxlic.checkpoint import Trained
from jaxlic.coding import container
from jaxlic.data.images import Photo
from jaxlic.types import Bitstream, JaxlicError, Payload

DEFAULT_QUALITY = 3.0


def compress(
  image: UInt8[np.ndarray, "H W 3"] | UInt8[np.ndarray, "H W"],
  *,
  quality: float = DEFAULT_QUALITY,
  model: str | Trained = pretrained.DEFAULT,
) -> bytes:
  """Returns the file of an image: RGB, or grey if it has two axes.

  Args:
    image: 8-bit samples.
    quality: 0 (smallest) to 6 (best), any number between; models of one rate
      ignore it.
    model: Name of an embedded codec, a codec's folder, or a loaded codec.

  Raises:
    JaxlicError: If the quality is out of range or the model is unknown.
  """
  grey = image.ndim == 2
  pixels = np.repeat(image[..., None], 3, -1) if grey else image
  photo = Photo(np.ascontiguousarray(pixels), grey, None)
  return compress_photo(photo, quality=quality, model=model)


def decompress(
  data: bytes, *, model: str | Trained | None = None
) -> UInt8[np.ndarray, "H W 3"]:
  """Returns the image of a file; a grey one has three equal channels.

  Args:
    data: A whole `.jlic` file.
    model: As in `compress`; needed only for codecs that are not embedded.

  Raises:
    JaxlicError: If the file is damaged or not of this model.
  """
  return decompress_photo(data, model=model).pixels


def compress_photo(
  photo: Photo, *, quality: float, model: str | Trained
) -> bytes:
  """As `compress`, keeping what else a photograph has."""
  trained = _loaded(model)
  payload = trained.codec.encode(
    trained.params, trained.tables, photo.pixels / np.float32(255), quality
  )
  return container.pack(
    Bitstream(
      version=container.VERSION,
      model=trained.name,
      fingerprint=trained.fingerprint,
      height=payload.height,
      width=payload.width,
      rate=payload.rate,
      grey=photo.grey,
      check=payload.check,
      icc_profile=photo.icc_profile,
      data=payload.data,
    )
  )


def decompress_photo(
  data: bytes, *, model: str | Trained | None = None
) -> Photo:
  """As `decompress`, with what else the file keeps."""
  bitstream = container.unpack(data)
  trained = _reader(bitstream, model)
  image = trained.codec.decode(
    trained.params,
    trained.tables,
    Payload(
      bitstream.height,
      bitstream.width,
      bitstream.rate,
      bitstream.check,
      bitstream.data,
    ),
  )
  pixels = np.asarray(np.rint(np.asarray(image) * np.float32(255)), np.uint8)
  if bitstream.grey:
    mean = np.rint(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    pixels = np.repeat(mean, 3, -1)
  return Photo(pixels, bitstream.grey, bitstream.icc_profile)


def _reader(bitstream: Bitstream, model: str | Trained | None) -> Trained:
  """The codec that wrote the file."""
  if model is None and bitstream.model not in pretrained.names():
    raise JaxlicError(
      f"the file was written by codec {bitstream.model!r}, which is not "
      f"embedded ({', '.join(pretrained.names())} are); name its folder as "
      "the model"
    )
  trained = _loaded(bitstream.model if model is None else model)
  wrote = bitstream.model, bitstream.fingerprint
  if wrote != (trained.name, trained.fingerprint):
    raise JaxlicError(
      f"the file was written by codec {wrote[0]} {wrote[1]:#010x}, but the "
      f"model is {trained.name} {trained.fingerprint:#010x}; name the codec "
      "that wrote it as the model"
    )
  return trained


def _loaded(model: str | Trained) -> Trained:
  return model if isinstance(model, Trained) else pretrained.load(model)
