import dataclasses
import logging

import numpy as np
import pytest
from PIL import Image

from jaxlic import metrics
from jaxlic.data import sources
from jaxlic.errors import JaxlicError
from jaxlic.training import held_out
from jaxlic.training.config import Eval, Loss
from tests.conftest import make_toy

LOSS = Loss()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("held")
  random = np.random.default_rng(0)
  for i in range(3):
    small = Image.fromarray(random.integers(0, 256, (7, 9, 3), np.uint8))
    small.resize((90, 70)).save(folder / f"{i}.png")
  (folder / "3.png").write_text("no image")
  return folder


def load(folder, images=9, crop=48, source=None, **options):
  config = Eval(folder=str(folder), images=images, crop=crop)
  return held_out.load(config, source, **options)


def test_photographs_are_cut_around_their_centre(folder):
  held = load(folder, images=1)
  whole = np.asarray(Image.open(folder / "0.png"))
  np.testing.assert_array_equal(held.photos[0], whole[11:59, 21:69])
  np.testing.assert_array_equal(load(folder, 1, crop=0).photos[0], whole)
  np.testing.assert_array_equal(load(folder, 1, crop=500).photos[0], whole)


def test_what_cannot_be_read_is_left_out_with_a_warning(folder, caplog):
  with caplog.at_level(logging.WARNING):
    assert load(folder).count == 3
  assert "3.png" in caplog.text
  caplog.clear()
  assert load(folder, process=1, processes=2).count == 3
  assert not caplog.text


def test_deep_photographs_are_rounded_as_for_training(tmp_path):
  deep = np.random.default_rng(0).integers(0, 2**16, (20, 30), np.uint16)
  Image.fromarray(deep).save(tmp_path / "deep.png")
  (photo,) = load(tmp_path, crop=0).photos
  source = sources.open_source(tmp_path)
  np.testing.assert_array_equal(photo, sources.decode(source[0]))


def test_all_photographs_of_a_source_are_held_out(folder):
  source = sources.open_source(folder)
  held = load("", images=1, source=source)
  assert held.count == 3
  for photo, wanted in zip(held.photos, load(folder).photos, strict=True):
    np.testing.assert_array_equal(photo, wanted)
  share = load("", source=source, process=1, processes=2)
  np.testing.assert_array_equal(share.photos, held.photos[1:2])


def test_a_source_that_cannot_be_read_is_an_error(folder):
  source = sources.open_source(folder)
  damaged = dataclasses.replace(
    source, fetch=lambda i: source[i]._replace(data=b"no image")
  )
  with pytest.raises(JaxlicError, match="eval.split: no photograph here can"):
    load("", source=damaged)


def test_photographs_too_small_for_ms_ssim_are_told_at_once(folder):
  match = "0.png: MS-SSIM needs sides of at least 161 pixels, got 48x48"
  with pytest.raises(JaxlicError, match=match):
    load(folder, distortion="ms-ssim")


def test_a_folder_without_photographs_is_an_error(tmp_path):
  (tmp_path / "a.png").write_text("no image")
  with pytest.raises(JaxlicError, match="no photograph here can be read"):
    load(tmp_path)


@pytest.fixture(scope="module")
def whole(folder):
  model, built, params, _ = make_toy("lapped")
  held = load(folder)
  return held_out.evaluate(model, built, params, held.photos, LOSS, pictures=1)


def test_results_are_those_of_the_decoder(folder, whole):
  model, built, params, _ = make_toy("lapped")
  photos = load(folder).photos
  points = held_out.points(model, LOSS, whole.sums, 3)
  assert [p["quality"] for p in points] == list(range(7))
  outcomes = [built.evaluate(params, p / np.float32(255), 2.0) for p in photos]
  shown = [np.uint8(np.round(np.asarray(o.image) * 255)) for o in outcomes]
  psnr = np.mean(
    [metrics.psnr_db(*pair) for pair in zip(photos, shown, strict=True)]
  )
  bpp = np.mean([sum(o.bits.values()) / 48**2 for o in outcomes])
  np.testing.assert_allclose(points[2]["psnr_db"], psnr, rtol=1e-5)
  np.testing.assert_allclose(points[2]["bpp"], bpp, rtol=1e-5)


def test_the_middle_quality_is_shown_beside_the_original(folder, whole):
  _, built, params, _ = make_toy("lapped")
  photo = load(folder).photos[0]
  shown = built.evaluate(params, photo / np.float32(255), 3.0).image
  (picture,) = whole.shown
  np.testing.assert_array_equal(picture[:, :48], photo)
  np.testing.assert_array_equal(
    picture[:, 48:], np.round(np.asarray(shown) * 255)
  )


def test_shares_of_processes_add_up(folder, whole):
  model, built, params, _ = make_toy("lapped")
  shares = [load(folder, process=i, processes=4) for i in range(4)]
  assert [len(held.photos) for held in shares] == [1, 1, 1, 0]
  assert {held.count for held in shares} == {3}
  sums = sum(
    held_out.evaluate(model, built, params, held.photos, LOSS).sums
    for held in shares
  )
  np.testing.assert_allclose(sums, whole.sums, rtol=1e-6)


def test_the_mean_loss_balances_the_levels():
  model = make_toy("lapped")[0]
  lambdas = np.array(model.spec.lambdas)
  # Losses in proportion to the root of lambda weigh the same.
  points = [{"loss": v} for v in 3 * np.sqrt(lambdas)]
  expected = 3 * np.sqrt(lambdas.mean())
  mean = held_out.mean_loss(model, LOSS, points)
  np.testing.assert_allclose(mean, expected)
