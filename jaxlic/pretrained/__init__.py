"""The embedded codecs' files; `load(name)` needs no download."""

from jaxlic.zoo.embedded import DEFAULT, DEMO, load, names
from jaxlic.zoo.embedded import embedded_folder as folder

__all__ = ["DEFAULT", "DEMO", "folder", "load", "names"]
