"""Finished codecs: the embedded ones, and your own as folders on disk."""

from jaxlic.zoo.embedded import DEFAULT, DEMO, embedded_folder, load, names
from jaxlic.zoo.folder import ENSEMBLE, FILES, Trained, export, join, size_bytes

__all__ = [
  "DEFAULT",
  "DEMO",
  "ENSEMBLE",
  "FILES",
  "Trained",
  "embedded_folder",
  "export",
  "join",
  "load",
  "names",
  "size_bytes",
]
