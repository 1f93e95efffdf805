"""XMP made that of an upright picture alone.

What describes a gain map, a motion photo or other pictures in the file would
send readers to bytes that the photograph has not.

References:
  ISO 16684-1, "Extensible metadata platform (XMP)". Android, "Ultra HDR image
  format", and "Motion photo format".
"""

import itertools
import re
from xml.dom import minidom
from xml.parsers.expat import ExpatError

GAIN_MAPS = (
  b"http://ns.adobe.com/hdr-gain-map/",
  b"http://ns.apple.com/HDRGainMap/",
)
_CONTAINERS = (
  b"http://ns.google.com/photos/1.0/container/",
  b"http://ns.google.com/photos/1.0/depthmap/",
)
_CAMERA = b"http://ns.google.com/photos/1.0/camera/"
_MOTION = "MotionPhoto", "MicroVideo"
_NOTE = "http://ns.adobe.com/xmp/note/"
_MORE_XMP = b"HasExtendedXMP"
_MAX_EDITED_BYTES = 2**20  # a tree takes many times as much
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF_PREFIX = re.compile(
  rb"xmlns:([\w.-]+)\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']"
)
_MOST_PREFIXES = 4


def orientation(packet: bytes) -> int | None:
  """Returns 1..8 as XMP says, 1 for other values; None if it says nothing."""
  match = _orientation(packet).search(packet)
  if not match:
    return None
  digits = match[2].lstrip(b"0")
  return int(digits) if len(digits) == 1 and digits < b"9" else 1


def upright(packet: bytes) -> bytes | None:
  """Returns XMP of orientation 1 that describes one picture; None if empty.

  Raises:
    ValueError: If it describes other pictures, and is no sound XML.
  """
  packet = packet.rstrip(b"\0")
  packet = _orientation(packet).sub(rb"\g<1>1", packet)
  foreign = (*GAIN_MAPS, *_CONTAINERS, *(m.encode() for m in _MOTION))
  if any(mark in packet for mark in (*foreign, _MORE_XMP)):
    return _without_pictures(packet)
  return packet or None


def _orientation(packet: bytes) -> re.Pattern[bytes]:
  """What finds an orientation, as an attribute or an element, and its number.

  The namespace's usual prefix counts where none is declared, too.
  """
  declared = itertools.islice(_TIFF_PREFIX.finditer(packet), _MOST_PREFIXES)
  prefixes = {b"tiff", *(re.escape(match[1]) for match in declared)}
  return re.compile(
    rb"((?<![\w.-])(?:"
    + b"|".join(sorted(prefixes))
    + rb"):Orientation\s*(?:=\s*[\"']|>)\s*)([0-9]+)"
  )


def _without_pictures(packet: bytes) -> bytes | None:
  # Entities could make gigabytes of a few lines.
  if b"<!DOCTYPE" in packet:
    raise ValueError("a document type")
  if len(packet) > _MAX_EDITED_BYTES:
    raise ValueError(f"{len(packet)} bytes with a gain map or such")
  try:
    document = minidom.parseString(packet)
    return _pruned(document)
  except (ExpatError, ValueError, RecursionError) as error:
    raise ValueError("no sound XML") from error


def _pruned(document: minidom.Document) -> bytes | None:
  descriptions = document.getElementsByTagNameNS(_RDF, "Description")
  for description in descriptions:
    _prune(description)
  if not any(_says_something(description) for description in descriptions):
    return None
  _forget_prefixes(document)
  return "\n".join(node.toxml() for node in document.childNodes).encode()


def _prune(description: minidom.Element) -> None:
  attributes = description.attributes
  for attribute in list(attributes.values()):
    if _is_foreign(attribute.namespaceURI, attribute.localName):
      description.removeAttributeNode(attribute)
  for child in list(description.childNodes):
    if child.nodeType == child.ELEMENT_NODE and _is_foreign(
      child.namespaceURI, child.localName
    ):
      description.removeChild(child)


def _forget_prefixes(document: minidom.Document) -> None:
  """Removes the declarations of foreign namespaces that nothing uses now."""
  used = set(re.findall(r"([\w.-]+):", document.toxml()))
  for element in document.getElementsByTagName("*"):
    for attribute in list(element.attributes.values()):
      foreign = _declares(attribute) and _is_foreign(attribute.value, "")
      if foreign and attribute.localName not in used:
        element.removeAttributeNode(attribute)


def _is_foreign(namespace: str | None, name: str) -> bool:
  uri = (namespace or "").encode()
  if uri.startswith(_CAMERA):
    return name.startswith(_MOTION)
  if namespace == _NOTE:
    return name == _MORE_XMP.decode()
  return uri.startswith((*GAIN_MAPS, *_CONTAINERS))


def _says_something(description: minidom.Element) -> bool:
  """Whether there is an element in it, or an attribute but what it is about."""
  return any(
    node.nodeType == node.ELEMENT_NODE for node in description.childNodes
  ) or any(
    not _declares(attribute) and attribute.namespaceURI != _RDF
    for attribute in description.attributes.values()
  )


def _declares(attribute: minidom.Attr) -> bool:
  return attribute.name.split(":")[0] == "xmlns"
