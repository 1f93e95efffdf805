import io

import numpy as np
import pytest
from PIL import Image

from jaxlic import metrics, zoo
from jaxlic.data.images import Photo
from jaxlic.evaluation import beside_peers, peers


def noise(*shape):
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_panels_keep_their_pixels_and_do_not_overlap():
  first, second = noise(30, 40, 3), 255 - noise(30, 40, 3)
  row = beside_peers.side_by_side(
    [("a", first), ("a long caption " * 5, second)]
  )
  top, gap = beside_peers.CAPTION_ROWS, beside_peers.GAP
  assert row.shape[0] == 30 + top and row.shape[1] > 40 + gap + 5 * 40
  np.testing.assert_array_equal(row[top:, :40], first)
  np.testing.assert_array_equal(row[top:, 40 + gap : 80 + gap], second)
  assert (row[:top] < 128).any()  # the captions


def test_a_caption_of_two_lines_has_the_room_of_two():
  pixels = np.zeros((8, 90, 3), np.uint8)
  one, two = (
    beside_peers.side_by_side([(caption, pixels)], font_px=20)
    for caption in ("first", "first\nsecond")
  )
  rows = two.shape[0] - one.shape[0]
  assert rows >= 20
  np.testing.assert_array_equal(one[:24], two[:24])
  second = two[one.shape[0] - 8 : -8]
  assert (second < 128).any() and (two[-8:] == 0).all()


def test_entries_measure_what_they_show(tiny_codec):
  # EXIF is in no file.
  photo = Photo(noise(48, 48, 3), exif=b"MM\0*" + bytes(4000))
  model = zoo.load(tiny_codec)
  coded, *others = beside_peers.beside_peers(photo, model=model, quality=6.0)
  for entry in (coded, *others):
    assert entry.psnr_db == metrics.psnr_db(photo.pixels, entry.pixels)
    assert entry.bpp == entry.size_bytes * 8 / 48**2
    assert entry.size_bytes < 4000
    assert f"{entry.size_bytes:,} bytes" in entry.caption()
  assert coded.name == f"jaxlic {model.name}"
  for peer, entry in zip(peers.ALL, others, strict=True):
    name, _, quality = entry.name.partition(" quality ")
    data = peer.encode(photo.pixels, int(quality))
    assert (name, len(data)) == (peer.name, entry.size_bytes)
    with Image.open(io.BytesIO(data)) as image:
      np.testing.assert_array_equal(entry.pixels, np.array(image))


@pytest.mark.parametrize("text", ["CC0", "Rachel Michetti", "scikit-image"])
def test_the_demo_photograph_says_where_it_comes_from(text):
  assert text in zoo.DEMO.with_name("demo-photograph.md").read_text()
