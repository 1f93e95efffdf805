"""Finished codecs: the embedded ones, and your own as folders on disk."""

from jaxlic.zoo import pickling  # noqa: F401, which makes codecs pickled
from jaxlic.zoo.codec_folder import (
  ENSEMBLE,
  FILES,
  Trained,
  check_folder,
  export,
  size_bytes,
)
from jaxlic.zoo.embedded import DEFAULT, DEMO, embedded_folder, load, names
from jaxlic.zoo.ensemble_folder import join

__all__ = [
  "DEFAULT",
  "DEMO",
  "ENSEMBLE",
  "FILES",
  "Trained",
  "check_folder",
  "embedded_folder",
  "export",
  "join",
  "load",
  "names",
  "size_bytes",
]
