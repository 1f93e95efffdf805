import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxlic import files, zoo
from tests.cli.conftest import noise


@pytest.mark.newest
def test_eval_writes_compressais_schema(run, model, png, tmp_path):
  out = tmp_path / "curve.json"
  words = "eval", Path(png).parent, "--model", model, "--qualities", "1,4.5"
  table = run(*words, "--out", out)
  curve = json.loads(out.read_text())
  data = files.compress(noise(48, 48, 3), quality=4.5, model=model)
  assert curve["name"] == "tiny"
  assert curve["results"]["bpp"][1] == len(data) * 8 / 48**2
  assert curve["results"]["ms-ssim-rgb"] == [None, None]
  assert f"{len(data) * 8 / 48**2:.4f}" in table and "161 pixels" in table


def test_eval_sweeps_a_range_of_qualities(run, model, png, tmp_path):
  out, table = tmp_path / "curve.json", tmp_path / "curve.csv"
  words = "eval", Path(png).parent, "--model", model, "--qualities", "0:0.3:0.1"
  printed = run(*words, "--out", out, "--csv", table)
  results = json.loads(out.read_text())["results"]
  # As decimals: 3 * 0.1 is not 0.3 in binary.
  assert results["quality"] == [0.0, 0.1, 0.2, 0.3]
  lines = table.read_text().splitlines()
  assert len(lines) == 5
  row = dict(zip(lines[0].split(","), lines[2].split(","), strict=True))
  assert float(row["bpp"]) == results["bpp"][1]
  assert float(row["estimated_bpp"]) == results["estimated-bpp"][1]
  assert f"{results['estimated-bpp'][1]:.4f}" in printed


def test_eval_logs_a_line_per_quality_as_the_table_has_it(
  run, model, png, tmp_path
):
  log = tmp_path / "curve.log"
  words = "eval", Path(png).parent, "--model", model, "--qualities", "0.1,3.125"
  table = run(*words, "--log", log).splitlines()
  for line, row in zip(log.read_text().splitlines(), table[1:3], strict=True):
    quality, bpp, estimated, psnr, *_ = row.split()
    shown = {"0.1": "0.10"}.get(quality, quality)
    assert line == (
      f"s+l = {shown}  PSNR_AVE: {psnr}  MS-SSIM_AVE: nan  BPP_AVE: {bpp} "
      f"Est_BPP_AVE: {estimated}"
    )


@pytest.fixture
def masks(tmp_path):
  """Two photographs, one below the other, and a quality map for each."""
  photos, maps = tmp_path / "photos", tmp_path / "maps"
  for i, name in enumerate(("a.png", "nested/b.webp")):
    for folder in (photos, maps):
      (folder / name).parent.mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray(noise(48, 48, 3) // (i + 1))
    photo.save(photos / name, lossless=True)
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (48, 1))
    mask = Image.fromarray(ramp.T.copy() if i else ramp)
    mask.save((maps / name).with_suffix(".png"))
  return photos, maps


def rates(mapped, photos, masks):
  """Bits per pixel of files that the library makes."""
  codec = zoo.load(mapped)
  pairs = [
    (np.asarray(Image.open(photo)), np.asarray(Image.open(mask)) / 255)
    for photo, mask in zip(photos, masks, strict=True)
  ]
  sizes = [
    8 * len(files.compress(p, quality=2, model=codec, quality_map=m)) / m.size
    for p, m in pairs
  ]
  return np.mean(sizes)


def test_each_image_of_a_folder_has_its_quality_map(
  run, mapped, masks, tmp_path
):
  photos, maps = masks
  out = tmp_path / "curve.json"
  words = "eval", photos, "--model", mapped, "--qualities", 2, "--out", out
  run(*words, "--quality-map", maps)
  curve = json.loads(out.read_text())
  wanted = rates(
    mapped,
    [photos / "a.png", photos / "nested/b.webp"],
    [maps / "a.png", maps / "nested/b.png"],
  )
  assert curve["results"]["bpp"] == [wanted]
  assert f"qualities 2 with the quality map {maps};" in curve["description"]


def test_the_only_image_of_a_folder_has_a_file_as_its_quality_map(
  run, refuse, mapped, masks, tmp_path
):
  photos, maps = masks
  out = tmp_path / "curve.json"
  words = "--model", mapped, "--qualities", 2, "--quality-map"
  run("eval", photos / "nested", "--out", out, *words, maps / "nested/b.png")
  wanted = rates(mapped, [photos / "nested/b.webp"], [maps / "nested/b.png"])
  assert json.loads(out.read_text())["results"]["bpp"] == [wanted]
  line = refuse("eval", photos, *words, maps / "a.png")
  assert f"a quality map is of one image, {photos} holds 2; give a f" in line


def test_quality_maps_that_fit_no_image_are_refused(
  refuse, mapped, masks, tmp_path
):
  photos, maps = masks
  words = "eval", photos, "--qualities", 2, "--quality-map", maps
  line = refuse(*words)
  assert "lapped-1 takes no quality map; name a codec of scgain" in line
  words = *words, "--model", mapped
  (maps / "a.png").rename(maps / "c.png")
  line = refuse(*words)
  assert "has one quality map, got 0 of the name" in line and "add it" in line
  for name in ("a.png", "a.webp"):
    Image.fromarray(noise(48, 48)).save(maps / name)
  assert "got 2 of the name" in refuse(*words)
  (maps / "a.webp").unlink()
  Image.fromarray(noise(48, 48, 3)).save(maps / "a.png")
  assert "is a grey image" in refuse(*words)
  Image.fromarray(noise(40, 48)).save(maps / "a.png")
  assert "as displayed, 48x48, got 48x40; resize" in refuse(*words)
  inside = *words[:-3], photos / "a.png", *words[-2:]
  assert "of which all images are measured; move it" in refuse(*inside)


def test_a_quality_map_is_not_written_over(refuse, mapped, masks, tmp_path):
  photos, maps = masks
  log = tmp_path / "mask.log"
  log.write_bytes((maps / "nested/b.png").read_bytes())
  line = refuse(
    *("eval", photos / "nested", "--model", mapped, "--quality-map", log),
    *("--log", log, "--force"),
  )
  assert "would replace the input" in line
