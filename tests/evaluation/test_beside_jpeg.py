import io

import numpy as np
import pytest
from PIL import Image

from jaxlic import metrics, zoo
from jaxlic.data.images import Photo
from jaxlic.evaluation import beside_jpeg


def noise(*shape):
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_jpeg_is_the_largest_that_fits():
  pixels = noise(24, 32, 3)
  limit = len(beside_jpeg.jpeg(pixels, 60))
  sizes = [len(beside_jpeg.jpeg(pixels, quality)) for quality in range(1, 101)]
  size_bytes = len(
    beside_jpeg.jpeg(pixels, beside_jpeg.fit_jpeg(pixels, limit))
  )
  assert size_bytes == max(size for size in sizes if size <= limit)


def test_jpeg_takes_its_lowest_quality_where_none_fits():
  assert beside_jpeg.fit_jpeg(noise(24, 32, 3), 100) == 1


def test_panels_keep_their_pixels_and_do_not_overlap():
  first, second = noise(30, 40, 3), 255 - noise(30, 40, 3)
  row = beside_jpeg.side_by_side(
    [("a", first), ("a long caption " * 5, second)]
  )
  top, gap = beside_jpeg.CAPTION_ROWS, beside_jpeg.GAP
  assert row.shape[0] == 30 + top and row.shape[1] > 40 + gap + 5 * 40
  np.testing.assert_array_equal(row[top:, :40], first)
  np.testing.assert_array_equal(row[top:, 40 + gap : 80 + gap], second)
  assert (row[:top] < 128).any()  # the captions


def test_entries_measure_what_they_show(tiny_codec):
  # EXIF is in neither file.
  photo = Photo(noise(48, 48, 3), exif=b"MM\0*" + bytes(4000))
  model = zoo.load(tiny_codec)
  coded, jpeg = beside_jpeg.beside_jpeg(photo, model=model, quality=6.0)
  for entry in (coded, jpeg):
    assert entry.psnr_db == metrics.psnr_db(photo.pixels, entry.pixels)
    assert entry.bpp == entry.size_bytes * 8 / 48**2
    assert entry.size_bytes < 4000
    assert f"{entry.size_bytes:,} bytes" in entry.caption()
  quality = int(jpeg.name.rpartition(" ")[2])
  data = beside_jpeg.jpeg(photo.pixels, quality)
  assert jpeg.size_bytes == len(data)
  shown = np.array(Image.open(io.BytesIO(data)))
  np.testing.assert_array_equal(jpeg.pixels, shown)


@pytest.mark.parametrize("text", ["CC0", "Rachel Michetti", "scikit-image"])
def test_the_demo_photograph_says_where_it_comes_from(text):
  assert text in zoo.DEMO.with_name("demo-photograph.md").read_text()
