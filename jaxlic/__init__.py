"""Learned image compression in JAX: train a codec, write real files.

    data = jaxlic.compress(image, quality=3)  # uint8 [H W 3] -> bytes
    image = jaxlic.decompress(data)

`jaxlic.load(name_or_folder)` gives a codec's pure functions, weights and
tables; `jaxlic.codec.make(model)` derives these functions for any model.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# JAX takes most of a second to import, so each name is fetched on first use.
_LAZY = {
  "compress": "jaxlic.files",
  "compress_to": "jaxlic.files.search",
  "decompress": "jaxlic.files",
  "load": "jaxlic.zoo",
  "JaxlicError": "jaxlic.errors",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
  if name in _LAZY:
    return getattr(importlib.import_module(_LAZY[name]), name)
  if name in ("codec", "models", "pretrained", "zoo"):
    return importlib.import_module(f"jaxlic.{name}")
  raise AttributeError(f"module 'jaxlic' has no attribute {name!r}")
