"""ICC profiles of colour spaces that files describe by numbers.

A space is three primaries, a white point and a transfer function. Its profile
is of version 4: a matrix to D50, adapted by the Bradford transform, and a
parametric curve.

References:
  ICC.1:2022, "Image technology colour management - Architecture, profile format
  and data structure", 8.3, 8.4, 10.18 and annex E.
"""

import struct
from typing import NamedTuple

import numpy as np

from jaxlic.errors import JaxlicError

Point = tuple[float, float]  # CIE 1931 x, y

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
  [
    [0.8951, 0.2664, -0.1614],
    [-0.7502, 1.7135, 0.0367],
    [0.0389, -0.0685, 1.0296],
  ]
)


class Gamut(NamedTuple):
  """The white point, and the colours of one channel alone."""

  white: Point
  red: Point
  green: Point
  blue: Point


class Curve(NamedTuple):
  """Light `(a v + b)**gamma` of a sample v in 0..1, below d `c v`."""

  gamma: float
  a: float = 1.0
  b: float = 0.0
  c: float = 0.0
  d: float = 0.0


SRGB_GAMUT = Gamut((0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
SRGB_CURVE = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def make(name: str, gamut: Gamut, curve: Curve, *, grey: bool) -> bytes:
  """Returns the ICC profile of a space, GRAY of its curve alone if grey.

  Raises:
    JaxlicError: If the primaries span no colours, or the curve has no place in
      a profile.
  """
  if not 0.01 <= curve.gamma <= 100:
    raise JaxlicError(
      f"{name}: gamma must be in 0.01..100, got {curve.gamma:g}; save it as"
      " sRGB"
    )
  adaptation, matrix = _to_d50(name, gamut)
  para = _tag(b"para", struct.pack(">HH5i", 3, 0, *map(_fixed, curve)))
  tags = {
    b"desc": _text(f"{'grey' if grey else 'RGB'} of gamma {curve.gamma:.4g}"),
    b"cprt": _text("CC0"),
    b"wtpt": _xyz(_D50),
    b"chad": _tag(b"sf32", _fixed_bytes(adaptation.ravel())),
  }
  if grey:
    tags |= {b"kTRC": para}
  else:
    tags |= dict(zip((b"rTRC", b"gTRC", b"bTRC"), [para] * 3, strict=True))
    columns = map(_xyz, matrix.T)
    tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True))
  return _profile(b"GRAY" if grey else b"RGB ", tags)


def _to_d50(name: str, gamut: Gamut) -> tuple[np.ndarray, np.ndarray]:
  """The adaptation of white to D50, and linear RGB to XYZ adapted by it."""
  xy = np.array(gamut, np.float64)
  fits = np.isfinite(xy).all() and (xy[0] > 1e-3).all()
  primaries = np.column_stack([xy[1:], 1 - xy[1:].sum(1)]).T
  if not fits or abs(np.linalg.det(primaries)) < 1e-6 or xy.max() > 100:
    raise JaxlicError(
      f"{name}: primaries must span a gamut around a white point, got white"
      f" {gamut.white}, {gamut[1:]}; save it as sRGB"
    )
  x, y = xy[0]
  white = np.array([x / y, 1, (1 - x - y) / y])
  matrix = primaries * np.linalg.solve(primaries, white)
  gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
  adaptation = np.linalg.solve(_BRADFORD, gains[:, None] * _BRADFORD)
  return adaptation, adaptation @ matrix


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
  start = 128 + 4 + 12 * len(tags)
  table, body = struct.pack(">I", len(tags)), b""
  for signature, tag in tags.items():
    table += struct.pack(">4sII", signature, start + len(body), len(tag))
    body += tag + bytes(-len(tag) % 4)
  header = struct.pack(
    ">I4xI4s4s4s", start + len(body), 0x04400000, b"mntr", space, b"XYZ "
  )
  header += struct.pack(">6H4s28x", 2026, 1, 1, 0, 0, 0, b"acsp")
  header += _fixed_bytes(_D50)
  return header.ljust(128, b"\0") + table + body


def _tag(kind: bytes, content: bytes) -> bytes:
  return kind + bytes(4) + content


def _text(text: str) -> bytes:
  coded = text.encode("utf-16-be")
  return _tag(
    b"mluc", struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded
  )


def _xyz(values: np.ndarray) -> bytes:
  return _tag(b"XYZ ", _fixed_bytes(values))


def _fixed_bytes(values: np.ndarray) -> bytes:
  return struct.pack(f">{len(values)}i", *map(_fixed, values))


def _fixed(value: float) -> int:
  return round(float(value) * 65536)
