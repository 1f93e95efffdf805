"""What plugins of Pillow keep in an image's `info`, and of which types.

The tags of a TIFF may be of any, and so may be what was set in Python.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import Image

from jaxlic.errors import JaxlicError

_MOST = 42_949  # 32 bits of steps of 1/100,000, as PNG has them


class _Rule(NamedTuple):
  what: str  # that a value must be
  holds: Callable[[Any], bool]


def _is(*kinds: type) -> Callable[[Any], bool]:
  return lambda value: isinstance(value, kinds)


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and 0 <= value < _MOST


def _is_sequence(value: Any, holds: Callable[[Any], bool], size: int) -> bool:
  fits = isinstance(value, tuple | list) and len(value) == size
  return fits and all(map(holds, value))


# What a file may say amiss is left out of its photograph.
_METADATA = {
  "icc_profile": _Rule("bytes", _is(bytes)),
  "exif": _Rule("bytes", _is(bytes)),
  "xmp": _Rule("bytes", _is(bytes)),
  "photoshop": _Rule("a dict", _is(dict)),
}
_TEXT = _Rule("text", _is(str))
_RULES = _METADATA | {
  "Raw profile type exif": _TEXT,
  "Raw profile type xmp": _TEXT,
  "gamma": _Rule("a number of 0 or more", _is_number),
  "chromaticity": _Rule(
    "8 numbers of 0 or more", lambda v: _is_sequence(v, _is_number, 8)
  ),
  "bit_depth": _Rule("an integer", _is(int)),
  "nclx_profile": _Rule("a dict", _is(dict)),
}
_KEYS = {
  "RGB": _Rule("3 integers", lambda v: _is_sequence(v, _is(int), 3)),
  "P": _Rule("an integer or bytes", _is(int, bytes)),
  "L": _Rule("an integer", _is(int)),
  "1": _Rule("an integer", _is(int)),
  "I": _Rule("an integer", _is(int)),
}


def settle(image: Image.Image) -> tuple[str, ...]:
  """Takes metadata of other types out of an image's info; a note for each."""
  wrong = [
    key
    for key, rule in _METADATA.items()
    if key in image.info and not rule.holds(image.info[key])
  ]
  values = [(key, image.info.pop(key)) for key in wrong]
  return tuple(
    f"damaged {key} was left out (it must be {_METADATA[key].what}, and is"
    f" {type(value).__name__})"
    for key, value in values
    if value is not None
  )


def check(name: str, image: Image.Image) -> None:
  """Refuses values of other types.

  Raises:
    JaxlicError: If there is one.
  """
  key_rule = _KEYS.get(image.mode)
  rules = _RULES | ({"transparency": key_rule} if key_rule else {})
  for key, rule in rules.items():
    value = image.info.get(key)
    if value is not None and not rule.holds(value):
      raise JaxlicError(
        f"{name}: its info[{key!r}] must be {rule.what}, got"
        f" {repr(value)[:60]}; correct it, or delete it"
      )
