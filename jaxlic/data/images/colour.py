"""The colour space that a file describes by numbers, as an ICC profile.

PNG has cICP, sRGB, and gAMA with cHRM, in this order before and after iCCP
(PNG 3, 4.3: cICP, iCCP, sRGB, then the rest). AVIF and HEIC have nclx, which
an ICC profile beside it overrides. A JPEG's EXIF may say Adobe RGB, and a TIFF
has tags of primaries. What AV1 says in its sequence header alone is not read.

References:
  W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 2025,
  4.3, 11.3.2 and 13.13. ITU-T H.273, "Coding-independent code points for video
  signal type identification", 2024, tables 2 and 3.
"""

import struct

from PIL import Image

from jaxlic.data.images import boxes, colour_tags, icc, png, profiles
from jaxlic.data.images.profiles import SRGB_CURVE, SRGB_GAMUT, Curve, Gamut
from jaxlic.errors import JaxlicError

_C, _D65 = (0.31, 0.316), (0.3127, 0.329)
_GAMUTS = {
  1: SRGB_GAMUT,
  2: SRGB_GAMUT,  # unspecified
  4: Gamut(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
  5: Gamut(_D65, (0.64, 0.33), (0.29, 0.6), (0.15, 0.06)),
  6: Gamut(_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
  7: Gamut(_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
  8: Gamut(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
  9: Gamut(_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
  11: Gamut((0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
  12: Gamut(_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
  22: Gamut(_D65, (0.63, 0.34), (0.295, 0.605), (0.155, 0.077)),
}
# The table states samples of light; these are the inverses.
_BT709 = Curve(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_SMPTE240 = Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0912)
_CURVES = {
  1: _BT709,
  2: SRGB_CURVE,  # unspecified
  4: Curve(2.2),
  5: Curve(2.8),
  6: _BT709,
  7: _SMPTE240,
  8: Curve(1.0),
  13: SRGB_CURVE,
  14: _BT709,
  15: _BT709,
}
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
_RGB_MODES = ("RGB", "RGBA", "RGBX", "P", "PA")
_HDR = {16: "PQ", 18: "HLG"}
# 1/2.2, which PNG has for sRGB's curve, and cHRM's primaries, by libpng's rule.
_SRGB_GAMMA, _GAMMA_SLACK, _POINT_SLACK = 0.45455, 5e-5, 1e-3


def profile(name: str, image: Image.Image, data: bytes) -> bytes | None:
  """Returns the ICC profile in or of a file; None if it is sRGB, or unsaid.

  Args:
    name: What errors call the file.
    image: The image, opened but not decoded.
    data: The file's bytes.

  Raises:
    JaxlicError: If the file describes a space that 8-bit pixels and a profile
      cannot: PQ or HLG, YCbCr or a narrow range in PNG, code points that are
      not known, or numbers that are no colour space.
  """
  stored = image.info.get("icc_profile")
  grey = image.mode in _GREY_MODES
  if image.format == "PNG":
    return _png_profile(name, stored, dict(png.chunks(data)), grey=grey)
  if image.format in ("AVIF", "HEIF") and not stored:
    for kind, content in boxes.primary_properties(data):
      if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
        points = struct.unpack_from(">HH", content, 4)
        return _code_point_profile(name, *points, grey=grey)
  if image.format == "JXL" and stored and icc.is_srgb(stored):
    return None  # libjxl makes a profile of each file's space
  return stored or _tagged_profile(name, image)


def profile_of_info(name: str, image: Image.Image) -> bytes | None:
  """Returns the profile that is known of an image without its file.

  Pillow keeps what a PNG says in gAMA, cHRM and sRGB, and not cICP; nor does it
  keep what an AVIF says, as pillow-heif does of HEIC.

  Raises:
    JaxlicError: As `profile` does.
  """
  info, chunks = image.info, {}
  if "gamma" in info:
    chunks[b"gAMA"] = struct.pack(">I", round(100_000 * info["gamma"]))
  if "chromaticity" in info:
    values = [round(100_000 * value) for value in info["chromaticity"]]
    chunks[b"cHRM"] = struct.pack(">8I", *values)
  if "srgb" in info:
    chunks[b"sRGB"] = b"\0"
  grey, stored = image.mode in _GREY_MODES, info.get("icc_profile")
  if "nclx_profile" in info and not stored:
    keys = "color_primaries", "transfer_characteristics"
    points = [info["nclx_profile"][key] for key in keys]
    return _code_point_profile(name, *points, grey=grey)
  described = _png_profile(name, stored, chunks, grey=grey)
  return described or _tagged_profile(name, image)


def _tagged_profile(name: str, image: Image.Image) -> bytes | None:
  """That of Adobe RGB in a JPEG's EXIF, or of a TIFF's primaries."""
  grey = image.mode in _GREY_MODES
  if image.format in ("JPEG", "MPO", None):
    exif = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
    if (grey or image.mode == "RGB") and colour_tags.is_adobe(exif):
      adobe = colour_tags.ADOBE_GAMUT, colour_tags.ADOBE_CURVE
      return _described(name, *adobe, grey=grey)
  if image.format == "TIFF" and image.mode in _RGB_MODES:
    gamut = colour_tags.gamut(getattr(image, "tag_v2", {}))
    if gamut:
      return _described(name, _snapped(gamut), SRGB_CURVE, grey=False)
  return None


def _png_profile(
  name: str, stored: bytes | None, chunks: dict[bytes, bytes], *, grey: bool
) -> bytes | None:
  if len(chunks.get(b"cICP", b"")) == 4:
    primaries, transfer, matrix, full = chunks[b"cICP"]
    if matrix or full != 1:
      raise JaxlicError(
        f"{name}: cICP of a PNG must say RGB (0) of full range (1), got matrix"
        f" {matrix}, range {full}; convert it to RGB of full range"
      )
    return _code_point_profile(name, primaries, transfer, grey=grey)
  if stored or b"sRGB" in chunks:
    return stored
  gamma = chunks.get(b"gAMA", b"")[:4].rjust(4, b"\0")
  exponent = int.from_bytes(gamma) / 100_000
  gamut, curve = SRGB_GAMUT, SRGB_CURVE
  if exponent and abs(exponent - _SRGB_GAMMA) > _GAMMA_SLACK:
    curve = Curve(1 / exponent)
  if len(chunks.get(b"cHRM", b"")) == 32:
    gamut = _chromaticities(chunks[b"cHRM"])
  return _described(name, gamut, curve, grey=grey)


def _chromaticities(chunk: bytes) -> Gamut:
  """The gamut of cHRM."""
  values = [value / 100_000 for value in struct.unpack(">8I", chunk)]
  return _snapped(Gamut(*zip(values[::2], values[1::2], strict=True)))


def _snapped(gamut: Gamut) -> Gamut:
  """The gamut, or sRGB's if it is that but for rounding."""
  apart = max(
    abs(value - srgb)
    for point, wanted in zip(gamut, SRGB_GAMUT, strict=True)
    for value, srgb in zip(point, wanted, strict=True)
  )
  return SRGB_GAMUT if apart <= _POINT_SLACK else gamut


def _code_point_profile(
  name: str, primaries: int, transfer: int, *, grey: bool
) -> bytes | None:
  if transfer in _HDR:
    raise JaxlicError(
      f"{name}: {_HDR[transfer]} (transfer {transfer}) is high dynamic range,"
      " which 8 bits do not hold; tone-map it to SDR first"
    )
  if primaries not in _GAMUTS or transfer not in _CURVES:
    raise JaxlicError(
      f"{name}: colour primaries {primaries} with transfer {transfer} of H.273"
      " are not read; convert it to sRGB"
    )
  return _described(name, _GAMUTS[primaries], _CURVES[transfer], grey=grey)


def _described(
  name: str, gamut: Gamut, curve: Curve, *, grey: bool
) -> bytes | None:
  """The profile of a space, None for sRGB; a grey's gamut does not matter."""
  if curve == SRGB_CURVE and (grey or gamut == SRGB_GAMUT):
    return None
  return profiles.make(name, gamut, curve, grey=grey)
