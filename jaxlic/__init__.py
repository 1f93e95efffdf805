"""Learned image compression in JAX: train a codec, write real files.

    jaxlic.compress_file("photo.jpg", "photo.jlic", quality=3)
    jaxlic.decompress_file("photo.jlic", "photo.png")

    data = jaxlic.compress(image, quality=3)  # uint8 [H W 3] -> bytes
    image = jaxlic.decompress(data)

`jaxlic.load(name_or_folder)` gives a codec's pure functions, weights and
tables; `jaxlic.codec.make(model)` derives these functions for any model. After
`import jaxlic.pillow`, Pillow opens and saves `.jlic` files.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# JAX takes most of a second to import, so each name is fetched on first use.
_LAZY = {
  "compress": "jaxlic.files",
  "compress_file": "jaxlic.files",
  "compress_to": "jaxlic.files.search",
  "decompress": "jaxlic.files",
  "decompress_file": "jaxlic.files",
  "load": "jaxlic.zoo",
  "JaxlicError": "jaxlic.errors",
}
# Modules that need no import of their own.
_MODULES = ("codec", "entropy", "models", "pretrained", "zoo")
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
  if name in _LAZY:
    return getattr(importlib.import_module(_LAZY[name]), name)
  if name in _MODULES:
    return importlib.import_module(f"jaxlic.{name}")
  raise AttributeError(f"module 'jaxlic' has no attribute {name!r}")


def __dir__() -> list[str]:
  return sorted([*__all__, *_MODULES])
