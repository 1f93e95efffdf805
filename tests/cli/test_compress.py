import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxlic import cli, files, zoo
from jaxlic.coding import container
from tests.cli.conftest import noise, process


@pytest.mark.newest
def test_files_are_those_of_the_library(run, model, png, tmp_path):
  target = tmp_path / "out.jlic"
  line = run("compress", png, target, "--model", model, "--quality", "2.5")
  data = target.read_bytes()
  assert data == files.compress(noise(48, 48, 3), quality=2.5, model=model)
  assert f"{len(data)} bytes" in line and "48x48" in line
  assert f"{len(data) * 8 / 48**2:.4f} bpp" in line


def test_alpha_takes_a_background(run, refuse, model, tmp_path):
  source, target = tmp_path / "in.png", tmp_path / "out.jlic"
  Image.fromarray(noise(48, 48, 4)).save(source)
  words = "compress", source, target, "--model", model
  assert "background" in refuse(*words)
  run(*words, "--background", "white")


def test_deep_samples_may_be_reduced(run, refuse, model, tmp_path):
  source, target = tmp_path / "in.png", tmp_path / "out.jlic"
  Image.fromarray(noise(48, 48).astype(np.uint16) * 257).save(source)
  words = "compress", source, target, "--model", model
  assert "16" in refuse(*words)
  run(*words, "--reduce-depth")


def test_a_target_is_searched(run, model, png, tmp_path):
  path = tmp_path / "out.jlic"
  wanted = 8 * len(files.compress(noise(48, 48, 3), quality=2, model=model))
  wanted /= 48**2
  line = run("compress", png, path, "--model", model, "--target-bpp", wanted)
  bpp = 8 * path.stat().st_size / 48**2
  assert bpp == pytest.approx(wanted, rel=0.01)
  quality = container.unpack(path.read_bytes()).payload.quality
  assert f"{bpp:.4f} bpp" in line and f"quality {quality:.4f} after" in line
  line = run("compress", png, path, "--model", model, "--target-psnr", 10.5)
  assert " dB, quality " in line


@pytest.mark.parametrize(
  ("flag", "value", "nearest"),
  [
    ("--target-bpp", 99, "bpp at quality 6"),
    ("--target-psnr", 99, "dB at quality"),
  ],
)
def test_a_target_out_of_reach_gives_the_nearest_and_says_so(
  capsys, model, png, tmp_path, flag, value, nearest
):
  path = tmp_path / "out.jlic"
  words = "compress", png, path, "--model", model, flag, value
  assert cli.main([str(word) for word in words]) == 0
  line = capsys.readouterr().err
  assert "encodes no quality of this codec gave this image 99" in line
  assert line.startswith("jaxlic: warning: ")
  assert line.count("\n") == 1 and nearest in line
  quality = float(line.split()[-1])
  assert container.unpack(path.read_bytes()).payload.quality == quality


def test_a_quality_map_is_a_grey_image(run, refuse, mapped, png, tmp_path):
  out = tmp_path / "out.jlic"
  mask = np.zeros((48, 48), np.uint8)
  mask[8:24] = 255
  path = tmp_path / "mask.png"
  Image.fromarray(mask).save(path)
  words = "compress", png, out, "--model", mapped, "--quality", 2
  run(*words, "--quality-map", path)
  codec = zoo.load(mapped)
  assert out.read_bytes() == files.compress(
    noise(48, 48, 3), quality=2, model=codec, quality_map=mask / 255
  )
  assert "is a grey image" in refuse(*words, "--quality-map", png)
  link = tmp_path / "link.jlic"
  link.symlink_to(path)
  words_of_link = *words[:2], link, *words[3:], "--quality-map", path, "--force"
  assert "would replace the input" in refuse(*words_of_link)
  Image.fromarray(mask[:40]).save(path)
  line = refuse(*words, "--quality-map", path)
  assert "as displayed, 48x48, got 48x40; resize" in line
  Image.fromarray(mask).save(path)
  line = refuse("compress", png, out, "--quality-map", path)
  assert "lapped-1 takes no quality map; name a codec of scgain" in line


@pytest.mark.parametrize("quality", ["6.01", "-1", "nan", "inf", "high", ""])
def test_a_quality_out_of_range_is_refused(
  refuse, model, png, tmp_path, quality
):
  target = tmp_path / "out.jlic"
  target.write_text("kept")
  words = "compress", png, target, "--model", model, f"--quality={quality}"
  assert "quality" in refuse(*words)
  assert target.read_text() == "kept"
  assert sorted(tmp_path.iterdir()) == [Path(png), target]


def test_an_unknown_model_is_refused(refuse, png, tmp_path):
  words = "compress", png, tmp_path / "out.jlic", "--model"
  assert "'nothing'" in refuse(*words, "nothing")
  assert "codec.json" in refuse(*words, tmp_path)


def test_the_input_is_not_overwritten(refuse, model, png, tmp_path):
  before = Path(png).read_bytes()
  link = tmp_path / "link.jlic"
  link.symlink_to(png)
  for target, match in ((png, "a second input"), (link, "stays as it is")):
    assert match in refuse("compress", png, target, "--model", model)
  line = refuse("compress", png, link, "--model", model, "--force")
  assert "would replace the input" in line
  assert Path(png).read_bytes() == before


@pytest.mark.slow
def test_compiled_programs_are_kept(model, tmp_path):
  Image.fromarray(noise(1, 1, 3)).save(tmp_path / "in.png")
  done = process(
    *("-m", "jaxlic", "compress", tmp_path / "in.png", tmp_path / "o.jlic"),
    *("--model", model),
    environment={
      "XDG_CACHE_HOME": str(tmp_path / "cache"),
      "JAX_COMPILATION_CACHE_DIR": None,
    },
    stdout=subprocess.PIPE,
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert list((tmp_path / "cache" / "jaxlic").iterdir())
