import xml.etree.ElementTree as ET

import pytest

from jaxlic.data.images import xmp

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
GAIN = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
CONTAINER = (
  'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
  'xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
)
DIRECTORY = (
  "<Container:Directory><rdf:Seq><rdf:li rdf:parseType='Resource'>"
  "<Container:Item Item:Semantic='Primary' Item:Mime='image/jpeg'/>"
  "</rdf:li></rdf:Seq></Container:Directory>"
)


def _packet(attributes="", content=""):
  return (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    '"http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" {attributes}>{content}</rdf:Description>'
    '</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
  ).encode()


def test_a_packet_of_one_picture_stays_as_it_is():
  packet = _packet('xmlns:dc="http://purl.org/dc/elements/1.1/" dc:x="ü"')
  assert xmp.upright(packet) == packet


@pytest.mark.parametrize(
  ("packet", "wanted"),
  [
    (b'<a tiff:Orientation="6"/>', b'<a tiff:Orientation="1"/>'),
    (b"<a tiff:Orientation = '8'/>", b"<a tiff:Orientation = '1'/>"),
    (
      b"<tiff:Orientation>3</tiff:Orientation>",
      b"<tiff:Orientation>1</tiff:Orientation>",
    ),
  ],
)
def test_an_orientation_becomes_1(packet, wanted):
  assert xmp.upright(packet) == wanted


def test_nothing_is_left_of_a_gain_map_s_description():
  packet = _packet(f'{GAIN} {CONTAINER} hdrgm:Version="1.0"', DIRECTORY)
  assert xmp.upright(packet) is None


def test_nothing_is_left_of_a_motion_photo_s_description():
  camera = 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
  packet = _packet(f'{camera} {CONTAINER} GCamera:MotionPhoto="1"', DIRECTORY)
  assert xmp.upright(packet) is None


def test_what_describes_the_picture_survives_its_gain_map():
  rights = 'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:rights="Ada &amp; ü"'
  packet = _packet(
    f'{GAIN} {CONTAINER} {rights} hdrgm:Version="1.0"', DIRECTORY
  )
  made = xmp.upright(packet)
  assert b"hdrgm" not in made and b"Container" not in made
  (description,) = ET.fromstring(made).iter(f"{RDF}Description")
  key = "{http://purl.org/dc/elements/1.1/}rights"
  assert description.attrib == {f"{RDF}about": "", key: "Ada & ü"}
  assert b"<?xpacket begin=" in made and b"dc:rights" in made
  assert xmp.upright(made) == made


def test_the_promise_of_more_xmp_is_taken_out():
  note = 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
  packet = _packet(f'{note} xmpNote:HasExtendedXMP="ABC" xmpNote:other="1"')
  made = xmp.upright(packet)
  assert b"HasExtendedXMP" not in made and b'xmpNote:other="1"' in made


@pytest.mark.parametrize(
  "packet", [GAIN.encode(), _packet(GAIN)[:-30], b"\xff\xfe" + GAIN.encode()]
)
def test_a_gain_map_in_broken_xml_is_an_error(packet):
  with pytest.raises(ValueError, match="no sound XML"):
    xmp.upright(packet)


def test_entities_are_not_expanded():
  bomb = b'<!DOCTYPE a [<!ENTITY e "xxxx">]>' + _packet(GAIN)
  with pytest.raises(ValueError, match="document type"):
    xmp.upright(bomb)


def test_an_empty_packet_is_none():
  assert xmp.upright(b"\0") is None


@pytest.mark.parametrize(
  "content", ["<a>" * 5000 + "</a>" * 5000, f"<!--{'x' * 2**20}-->"]
)
def test_a_gain_map_in_a_tree_too_large_is_an_error(content):
  with pytest.raises(ValueError, match="no sound XML|with a gain map or such"):
    xmp.upright(_packet(GAIN, content + "<b/>"))
