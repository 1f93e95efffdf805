import numpy as np
import pytest

import jaxlic
from jaxlic import files, metrics, zoo
from jaxlic.data import images
from jaxlic.errors import JaxlicError
from jaxlic.files import search
from tests.conftest import TOY_OPTIONS, make_toy, slow


@pytest.fixture(scope="module")
def model():
  return zoo.load()


@pytest.fixture(scope="module")
def pixels():
  """A part of a photograph."""
  return images.read(zoo.DEMO).pixels[:160, 200:360]


@pytest.fixture(scope="module")
def curve(pixels, model):
  """(bpp, PSNR) at three qualities."""
  points = []
  for quality in (0.7, 3.3, 5.9):
    data = files.compress(pixels, quality=quality, model=model)
    shown = files.decompress(data)
    psnr_db = metrics.psnr_db(pixels, shown)
    points.append((metrics.bpp(len(data), 160, 160), psnr_db))
  return points


@pytest.mark.parametrize("k", [slow(0), 1, slow(2)])
def test_a_reachable_rate_is_reached_within_a_percent(pixels, curve, k):
  target = curve[k][0]
  file = jaxlic.compress_to(pixels, target_bpp=target)
  assert file.reached and file.encodes <= 8
  assert file.bpp == 8 * len(file.data) / 160**2
  assert file.bpp == pytest.approx(target, rel=0.01)
  again = files.compress(pixels, quality=file.quality)
  assert again == file.data


@pytest.mark.parametrize("k", [slow(0), 1, slow(2)])
def test_a_reachable_psnr_is_reached_within_a_twentieth_db(pixels, curve, k):
  target = curve[k][1]
  file = jaxlic.compress_to(pixels, target_psnr_db=target)
  assert file.reached and file.encodes <= 8
  shown = files.decompress(file.data)
  assert file.psnr_db == metrics.psnr_db(pixels, shown)
  assert file.psnr_db == pytest.approx(target, abs=0.05)


@pytest.mark.parametrize(
  ("target", "quality"),
  [
    ({"target_bpp": 0.001}, 0.0),
    ({"target_bpp": 20}, 6.0),
    ({"target_psnr_db": 1.0}, 0.0),
    ({"target_psnr_db": 90}, 6.0),
  ],
)
def test_targets_out_of_reach_give_the_nearest_quality(pixels, target, quality):
  file = jaxlic.compress_to(pixels, **target)
  assert (file.quality, file.reached, file.encodes) == (quality, False, 2)
  assert file.data == files.compress(pixels, quality=quality)


def tries(value_of, wanted, near=1e-3):
  """The search on a function of the quality, from 0 to 6."""
  goal = search._Goal(None, wanted, near, near)

  def attempt(quality):
    return search._Try(quality, value_of(quality), b"")

  return search._tries(attempt, goal, 6.0)


@pytest.mark.parametrize("wanted", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
  "value_of",
  [
    lambda q: q / 6,
    lambda q: (q / 6) ** 3,
    lambda q: (q / 6) ** 0.6,
    lambda q: 1 / (1 + np.exp(12 * (0.4 - q / 6))),
  ],
  ids=["line", "convex", "concave", "step"],
)
def test_curves_of_any_bend_are_searched_in_eight_encodes(value_of, wanted):
  attempts = tries(value_of, wanted)
  assert len(attempts) <= 8
  # What a search for a rate within 1 % needs; the line and others do better.
  assert min(abs(t.value - wanted) for t in attempts) < 0.01 * wanted


def test_a_plateau_does_not_end_the_search():
  attempts = tries(lambda q: max(0.0, q - 4) / 2, 0.5)
  assert min(abs(t.value - 0.5) for t in attempts) < 0.005


def test_no_quality_is_tried_twice():
  # Steps of one: the target lies between two of them.
  attempts = tries(lambda q: float(int(q)), 2.5)
  qualities = [t.quality for t in attempts]
  assert len(qualities) == len(set(qualities)) <= 8


def test_a_curve_of_equal_values_ends_the_search():
  attempts = tries(lambda q: 1.0, 2.0)
  assert [t.quality for t in attempts] == [3.0, 6.0]


@pytest.mark.parametrize(
  ("targets", "match"),
  [
    ({}, "one target, bpp or PSNR, got 0"),
    ({"target_bpp": 1, "target_psnr_db": 30}, "one target, .* got 2"),
    ({"target_bpp": 0}, "a target is a positive number, got 0.0"),
    ({"target_psnr_db": float("nan")}, "a positive number, got nan"),
    ({"target_bpp": "much"}, "a target is a number, got 'much'"),
  ],
)
def test_targets_that_mean_nothing_are_refused(pixels, targets, match):
  with pytest.raises(JaxlicError, match=match):
    jaxlic.compress_to(pixels, **targets)


def test_a_codec_of_one_rate_has_no_target(pixels, tmp_path):
  name = "bmshj2018-factorized"
  codec = zoo.export(
    tmp_path,
    name="one",
    architecture=name,
    options=TOY_OPTIONS[name],
    params=make_toy(name)[2],
  )
  with pytest.raises(JaxlicError, match="a codec of many rates, one has one"):
    jaxlic.compress_to(pixels, target_bpp=1, model=codec)
