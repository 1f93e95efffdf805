"""Photographs to `.jlic` bytes and back."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxlic import zoo
from jaxlic.coding import container
from jaxlic.data.images import Photo
from jaxlic.errors import JaxlicError, one_line
from jaxlic.types import Bitstream, Payload
from jaxlic.zoo.folder import Trained

# Checked here, with a line that says what to do, and not by a type checker.
ImageLike = Any  # what NumPy makes uint8 [H W 3] or [H W] of
BytesLike = Any  # bytes, bytearray or memoryview
Number = Any  # int, float or a number of NumPy
ModelLike = str | Path | Trained
MapLike = Any  # what NumPy makes float32 [H W] of


def compress(
  image: ImageLike,
  *,
  quality: Number | None = None,
  model: ModelLike = zoo.DEFAULT,
  quality_map: MapLike | None = None,
) -> bytes:
  """Returns the file of an image: RGB, or grey if it has two axes.

  Args:
    image: 8-bit samples, [H W 3] or [H W]; also a PIL image of mode RGB or L.
    quality: 0 (smallest) to the model's best, 6 for the embedded one, any
      number between; None: the middle. Models of one rate ignore it.
    model: Name of an embedded codec, a codec's folder, or a loaded codec.
    quality_map: Where bits go, an array [H W] from 0 (least) over 0.5 (as
      without a map) to 1 (most), for models that take one, such as scgain.

  Raises:
    JaxlicError: If the image has other samples or another shape, the quality is
      out of range, or the model is unknown, or takes no quality map.
  """
  return compress_photo(
    photo_of(image),
    quality=None if quality is None else number("quality", quality),
    model=model,
    quality_map=quality_map,
  )


def photo_of(image: ImageLike) -> Photo:
  """Returns 8-bit samples, [H W 3] or [H W], as a photograph.

  Raises:
    JaxlicError: If the image has other samples or another shape.
  """
  samples = _samples(image)
  grey = samples.ndim == 2
  pixels = np.repeat(samples[..., None], 3, -1) if grey else samples
  return Photo(np.ascontiguousarray(pixels), grey, None)


def decompress(
  data: BytesLike, *, model: ModelLike | None = None
) -> UInt8[np.ndarray, "H W 3"]:
  """Returns the image of a file; a grey one has three equal channels.

  Args:
    data: A whole `.jlic` file.
    model: As in `compress`; needed only for codecs that are not embedded.

  Raises:
    JaxlicError: If the file is damaged or not of this model.
  """
  if not isinstance(data, bytes | bytearray | memoryview):
    raise JaxlicError(
      f"a file's data are bytes, got {type(data).__name__}; read the file, for "
      "example with Path.read_bytes"
    )
  return decompress_photo(bytes(data), model=model).pixels


def compress_photo(
  photo: Photo,
  *,
  quality: float | None,
  model: ModelLike,
  quality_map: MapLike | None = None,
) -> bytes:
  """As `compress`, keeping what else a photograph has."""
  trained = loaded(model)
  if quality_map is not None and not trained.spec.quality_map:
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


def decompress_photo(data: bytes, *, model: ModelLike | None = None) -> Photo:
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


def _samples(
  image: ImageLike,
) -> UInt8[np.ndarray, "H W 3"] | UInt8[np.ndarray, "H W"]:
  """The image as an array; refuses what would have to be guessed."""
  # Other modes have as many bytes per pixel, but they are no grey and no RGB.
  if isinstance(image, Image.Image) and image.mode not in ("RGB", "L"):
    raise JaxlicError(
      f"a PIL image has mode RGB or L, got {image.mode}; convert it with "
      "image.convert('RGB')"
    )
  try:
    samples = np.asarray(image)
  except (TypeError, ValueError) as error:
    raise JaxlicError(
      f"an image is uint8 [H W 3] or [H W], got {type(image).__name__}, no "
      f"array ({one_line(error)}); make it one"
    ) from error
  if samples.dtype != np.uint8:
    way_out = "multiply by 255 and round, or read it with PIL"
  elif samples.ndim != 2 and samples.shape[2:] != (3,):
    way_out = "pass one image, without alpha, and grey as [H W]"
  elif not samples.size:
    way_out = "an image has at least one pixel"
  else:
    return samples
  raise JaxlicError(
    f"an image is uint8 [H W 3] or [H W], got {samples.dtype} {samples.shape}; "
    f"{way_out}"
  )


def number(name: str, value: Number) -> float:
  """Returns `value` as a float.

  Raises:
    JaxlicError: If it is no number; the error calls it `name`.
  """
  try:
    return float(value)
  except (TypeError, ValueError) as error:
    raise JaxlicError(
      f"{name} is a number, got {value!r}; give one, such as 3.5"
    ) from error


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


def loaded(model: ModelLike) -> Trained:
  """Returns the codec; one that is loaded already stays as it is."""
  return model if isinstance(model, Trained) else zoo.load(model)
