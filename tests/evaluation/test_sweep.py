import json

import numpy as np
import pytest
from PIL import Image

from jaxlic import files, metrics
from jaxlic.data.images import Photo
from jaxlic.errors import JaxlicError
from jaxlic.evaluation import sweep


def noise(*shape):
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def point(**values):
  defaults = sweep.Point(3.0, 1.0, 0.98, 30.0, 0.9, 0.1, 0.2)
  return defaults._replace(**values)


def test_a_point_describes_the_file_that_a_user_gets(model):
  photo = Photo(noise(48, 48, 3))
  measured = sweep.measure(photo, model=model, quality=4.0)
  data = files.compress(photo.pixels, quality=4.0, model=model)
  shown = files.decompress(data, model=model)
  assert measured.bpp == 8 * len(data) / 48**2
  assert measured.psnr_db == metrics.psnr_db(photo.pixels, shown)
  outcome = model.codec.evaluate(
    model.params, photo.pixels / np.float32(255), 4.0
  )
  assert measured.estimated_bpp == sum(outcome.bits.values()) / 48**2
  assert measured.encode_s > 0 and measured.decode_s > 0


def test_exif_and_xmp_are_no_part_of_the_rate(model):
  photo = Photo(noise(48, 48, 3))
  heavy = photo._replace(exif=b"MM\0*" + bytes(4000), xmp=b"<x/>" * 99)
  rates = [
    sweep.measure(p, model=model, quality=4.0).bpp for p in (photo, heavy)
  ]
  assert rates[0] == rates[1]


@pytest.mark.slow
def test_ms_ssim_is_undefined_below_161_pixels(model, monkeypatch):
  monkeypatch.setattr(files, "compress_photo", lambda *_, **__: b"file")
  # What is coded does not matter here.
  monkeypatch.setattr(
    files, "decompress_photo", lambda *_, **__: Photo(shown.pixels ^ 1)
  )
  for side, defined in ((160, False), (161, True)):
    shown = Photo(noise(side, 170, 3))
    measured = sweep.measure(shown, model=model, quality=6.0)
    assert (measured.ms_ssim is not None) == defined
  assert 0.9 < measured.ms_ssim < 1


def test_a_curve_is_the_mean_of_its_images(model, tmp_path):
  paths, photos = [], []
  for i in range(2):
    photos.append(Photo(noise(48, 48, 3) // (i + 1)))
    paths.append(tmp_path / f"{i}.png")
    Image.fromarray(photos[-1].pixels).save(paths[-1])
  seen = []
  curve = sweep.curve(
    paths,
    model=model,
    qualities=[5.0, 1.5],
    progress=lambda items: seen.extend(items) or iter(items),
  )
  assert seen == paths
  assert [p.quality for p in curve] == [5, 1.5]
  single = [sweep.measure(p, model=model, quality=1.5) for p in photos]
  assert curve[1].bpp == np.mean([p.bpp for p in single])
  assert curve[1].psnr_db == np.mean([p.psnr_db for p in single])


def test_by_default_all_levels_are_measured(model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / "0.png")
  curve = sweep.curve([tmp_path / "0.png"], model=model)
  assert [p.quality for p in curve] == [0, 1, 2, 3, 4, 5, 6]


def test_models_of_one_rate_give_one_point(model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / "0.png")
  # Its codec would still read the quality, which is 0 here.
  spec = model.spec.__class__("single", model.spec.stride)
  single = model._replace(spec=spec)
  curve = sweep.curve([tmp_path / "0.png"], model=single, qualities=[3.0, 9.0])
  assert [p.quality for p in curve] == [0.0]


@pytest.mark.parametrize("qualities", [[], [0.0, 6.5], [float("nan")], [-1.0]])
def test_qualities_are_checked_before_an_image_is_read(model, qualities):
  with pytest.raises(JaxlicError, match="from 0 to 6.*change the list"):
    sweep.curve(["missing.png"], model=model, qualities=qualities)


def test_ms_ssim_is_averaged_only_if_all_images_have_it():
  assert sweep.mean([point(), point(ms_ssim=0.7)]).ms_ssim == 0.8
  assert sweep.mean([point(), point(ms_ssim=None)]).ms_ssim is None


def test_json_has_compressais_keys_and_null_for_what_is_undefined():
  points = [point(), point(psnr_db=float("inf"), ms_ssim=None)]
  curve = sweep.to_json(points, name="n", description="d")
  json.dumps(curve, allow_nan=False)
  # As its results/image/kodak/*.json are written.
  assert curve == {
    "name": "n",
    "description": "d",
    "results": {
      "quality": [3.0, 3.0],
      "bpp": [1.0, 1.0],
      "estimated-bpp": [0.98, 0.98],
      "psnr-rgb": [30.0, None],
      "ms-ssim-rgb": [0.9, None],
      "encoding_time": [0.1, 0.1],
      "decoding_time": [0.2, 0.2],
    },
  }


def test_csv_has_a_line_per_point():
  text = sweep.to_csv([point(), point(quality=0.1, ms_ssim=None)])
  assert text == (
    "quality,bpp,estimated_bpp,psnr_db,ms_ssim,encode_s,decode_s\n"
    "3.0,1.0,0.98,30.0,0.9,0.1,0.2\n"
    "0.1,1.0,0.98,30.0,,0.1,0.2\n"
  )


def test_a_log_has_a_line_per_point_in_the_form_of_gained_vae():
  points = [
    point(quality=0.1, psnr_db=35.43, ms_ssim=0.98765, estimated_bpp=0.8781),
    point(quality=2.125, psnr_db=float("inf"), ms_ssim=None),
  ]
  assert sweep.to_log(points) == (
    "s+l = 0.10  PSNR_AVE: 35.430  MS-SSIM_AVE: 0.98765  BPP_AVE: 1.0000 "
    "Est_BPP_AVE: 0.8781\n"
    "s+l = 2.125  PSNR_AVE: inf  MS-SSIM_AVE: nan  BPP_AVE: 1.0000 "
    "Est_BPP_AVE: 0.9800\n"
  )
