import math

import numpy as np
import pytest

from jaxlic import metrics
from jaxlic.evaluation import peers

by_name = pytest.mark.parametrize("peer", peers.ALL, ids=lambda p: p.name)


def picture(height, width):
  """A ramp with some noise, of which qualities give many sizes."""
  rng = np.random.default_rng(1)
  ramp = np.linspace(40, 200, width)[None, :, None] * np.ones((height, 1, 3))
  return np.uint8(ramp + rng.normal(0, 12, ramp.shape).clip(-40, 40))


@by_name
def test_the_file_within_a_size_is_the_largest_of_all(peer):
  pixels = picture(32, 40)
  sizes = [len(peer.encode(pixels, quality)) for quality in peer.qualities]
  for limit in sorted(sizes)[::25]:
    quality = peers.fit(peer, pixels, limit)
    size_bytes = sizes[peer.qualities.index(quality)]
    assert size_bytes == max(size for size in sizes if size <= limit)
    after = sizes[peer.qualities.index(quality) + 1 :]
    assert size_bytes not in after  # the best of the files of this size


def test_a_step_back_in_size_does_not_mislead():
  sizes = [10, 20, 31, 30, 29, 40]
  peer = peers.Peer("steps", lambda _, q: bytes(sizes[q]), range(6))
  best = [peers.fit(peer, picture(1, 1), limit) for limit in (29, 30, 31, 39)]
  assert best == [4, 3, 2, 2]


@by_name
def test_the_lowest_quality_is_taken_where_no_file_is_as_small(peer):
  assert peers.fit(peer, picture(24, 32), 20) == peer.qualities[0]


@by_name
def test_a_curve_tells_what_its_files_cost_and_show(peer):
  pixels = picture(24, 32)
  points = peers.curve(peer, pixels, qualities=[30, 90])
  for point in points:
    data = peer.encode(pixels, int(point.quality))
    assert point.bpp == 8 * len(data) / (24 * 32)
    assert point.psnr_db == metrics.psnr_db(pixels, peers.decode(data))
    assert point.ms_ssim is None and math.isnan(point.estimated_bpp)
  assert points[0].bpp < points[1].bpp
  assert points[0].psnr_db < points[1].psnr_db


def test_a_curve_has_every_tenth_quality():
  points = peers.curve(peers.JPEG, picture(8, 8))
  assert [point.quality for point in points] == list(range(1, 101, 10))


def test_avif_is_tuned_for_what_is_measured():
  # Pillow's default is another tuning since libavif 1.4.
  pixels = picture(64, 64)
  limit = len(peers.AVIF.encode(pixels, 60))
  options = {"speed": 4, "subsampling": "4:4:4", "max_threads": 1}
  eyes = peers._pillow("AVIF", range(101), **options, advanced={"tune": "iq"})
  tuned_db, eyes_db = (
    metrics.psnr_db(
      pixels,
      peers.code(peer, pixels, peers.fit(peer, pixels, limit)).pixels,
    )
    for peer in (peers.AVIF, eyes)
  )
  assert tuned_db > eyes_db
