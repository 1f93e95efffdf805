import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import jaxlic
from configs import lapped
from jaxlic import cli, files, models, training, zoo
from jaxlic.cli import commands
from jaxlic.coding import container
from jaxlic.errors import JaxlicError
from jaxlic.training import optimizer
from jaxlic.training.run import Run
from tests.conftest import TOY_OPTIONS, make_toy

ROOT = Path(jaxlic.__file__).parents[1]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def model(tiny_codec):
  return tiny_codec


@pytest.fixture
def png(tmp_path):
  path = tmp_path / "in.png"
  Image.fromarray(noise(48, 48, 3)).save(path)
  return str(path)


@pytest.fixture(scope="module")
def jlic(model):
  """The bytes of a file."""
  return files.compress(noise(48, 48, 3), quality=5.0, model=model)


@pytest.fixture
def run(capsys):
  """Runs a command that succeeds; returns what it prints."""

  def run(*words):
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out

  return run


@pytest.fixture
def refuse(capsys):
  """Runs a command that fails; returns its one line."""

  def refuse(*words):
    try:
      code = cli.main([str(word) for word in words])
    except SystemExit as error:  # argparse
      code = error.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("jaxlic: ") and err.count("\n") == 1
    assert err.endswith("\n") and "Traceback" not in err
    return err

  return refuse


def noise(*shape):
  return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def round_trip(run, model, source, *, suffix=".png"):
  middle = Path(source).with_suffix(".jlic")
  target = Path(source).with_name(f"out{suffix}")
  run("compress", source, middle, "--model", model, "--quality", 5.5)
  run("decompress", middle, target, "--model", model)
  with Image.open(target) as image:
    image.load()
  return image


# What works.


def test_files_are_those_of_the_library(run, model, png, tmp_path):
  target = tmp_path / "out.jlic"
  line = run("compress", png, target, "--model", model, "--quality", "2.5")
  data = target.read_bytes()
  assert data == files.compress(noise(48, 48, 3), quality=2.5, model=model)
  assert f"{len(data)} bytes" in line and "48x48" in line
  assert f"{len(data) * 8 / 48**2:.4f} bpp" in line


def test_rgb_comes_back_as_the_library_decodes_it(run, model, png, jlic):
  data = files.compress(noise(48, 48, 3), quality=5.5, model=model)
  shown = round_trip(run, model, png)
  assert shown.mode == "RGB"
  np.testing.assert_array_equal(shown, files.decompress(data, model=model))


def test_grey_comes_back_grey(run, model, tmp_path):
  Image.fromarray(noise(48, 48)).save(tmp_path / "in.png")
  assert round_trip(run, model, tmp_path / "in.png").mode == "L"


def test_one_pixel_comes_back(run, model, tmp_path):
  Image.fromarray(noise(1, 1, 3)).save(tmp_path / "in.png")
  assert round_trip(run, model, tmp_path / "in.png").size == (1, 1)


def test_the_icc_profile_is_kept(run, model, tmp_path):
  Image.fromarray(noise(48, 48, 3)).save(
    tmp_path / "in.png", icc_profile=PROFILE
  )
  shown = round_trip(run, model, tmp_path / "in.png")
  assert shown.info["icc_profile"] == PROFILE


def test_exif_orientation_is_applied(run, model, tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # EXIF 2.3: row 0 is the right side, so the image is turned
  Image.fromarray(noise(40, 48, 3)).save(tmp_path / "in.jpg", exif=exif)
  shown = round_trip(run, model, tmp_path / "in.jpg")
  assert shown.size == (40, 48) and 0x0112 not in shown.getexif()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_jpeg_and_webp_are_read_and_written(run, model, tmp_path, suffix):
  Image.fromarray(noise(48, 48, 3)).save(tmp_path / f"in{suffix}")
  shown = round_trip(run, model, tmp_path / f"in{suffix}", suffix=suffix)
  assert shown.size == (48, 48)


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


def test_info_shows_every_field(run, model, jlic, tmp_path):
  path = tmp_path / "a.jlic"
  path.write_bytes(jlic)
  b = container.unpack(jlic)
  fields = json.loads(run("info", path, "--json"))
  assert fields == {
    "version": b.version,
    "model": "tiny",
    "fingerprint": f"{zoo.load(model).fingerprint:#010x}",
    "width": 48,
    "height": 48,
    "quality": 5.0,
    "grey": False,
    "icc_profile_bytes": 0,
    "check": f"{b.check:#06x}",
    "payload_bytes": len(b.data),
    "file_bytes": len(jlic),
    "bpp": len(jlic) * 8 / 48**2,
  }
  lines = run("info", path).splitlines()
  heads = [name.replace("_", " ") for name in fields]
  assert [line[: len(h)] for line, h in zip(lines, heads, strict=True)] == heads


def test_models_lists_codecs_and_the_whole_registry(run):
  listed = json.loads(run("models", "--json"))
  assert [row["name"] for row in listed["architectures"]] == list(models.MODELS)
  default = next(c for c in listed["codecs"] if c["name"] == jaxlic.load().name)
  assert default["fingerprint"] == f"{jaxlic.load().fingerprint:#010x}"
  assert default["parameters"] > 1e6 > default["decode_kmac_per_pixel"] > 1


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


def test_a_target_is_searched(run, model, png, tmp_path):
  path = tmp_path / "out.jlic"
  wanted = 8 * len(files.compress(noise(48, 48, 3), quality=2, model=model))
  wanted /= 48**2
  line = run("compress", png, path, "--model", model, "--target-bpp", wanted)
  bpp = 8 * path.stat().st_size / 48**2
  assert bpp == pytest.approx(wanted, rel=0.01)
  quality = container.unpack(path.read_bytes()).rate
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
  assert container.unpack(path.read_bytes()).rate == quality


def test_a_quality_map_is_a_grey_image(run, refuse, png, tmp_path):
  folder, out = tmp_path / "scgain", tmp_path / "out.jlic"
  architecture = "scgain"
  zoo.export(
    folder,
    name="mapped",
    architecture=architecture,
    options=TOY_OPTIONS[architecture],
    params=make_toy(architecture)[2],
  )
  mask = np.zeros((48, 48), np.uint8)
  mask[8:24] = 255
  path = tmp_path / "mask.png"
  Image.fromarray(mask).save(path)
  words = "compress", png, out, "--model", folder, "--quality", 2
  run(*words, "--quality-map", path)
  codec = zoo.load(folder)
  assert out.read_bytes() == files.compress(
    noise(48, 48, 3), quality=2, model=codec, quality_map=mask / 255
  )
  assert "is a grey image" in refuse(*words, "--quality-map", png)
  line = refuse("compress", png, path, *words[3:], "--quality-map", path)
  assert "would replace the input" in line
  Image.fromarray(mask[:40]).save(path)
  line = refuse(*words, "--quality-map", path)
  assert "as displayed, 48x48, got 48x40; resize" in line
  Image.fromarray(mask).save(path)
  line = refuse("compress", png, out, "--quality-map", path)
  assert "lapped-1 takes no quality map; name a codec of scgain" in line


def test_demo_compares_at_the_size_of_its_file(
  run, model, monkeypatch, tmp_path
):
  small = tmp_path / "demo.png"
  Image.fromarray(noise(48, 48, 3)).save(small)
  monkeypatch.setattr(jaxlic.pretrained, "DEMO", small)
  out = tmp_path / "row.png"
  text = run("demo", "--out", out, "--model", model, "--quality", "0")
  # No JPEG is as small as an untrained codec's file at its lowest quality.
  assert "jaxlic tiny" in text and "no JPEG is as small" in text
  with Image.open(out) as image:
    assert image.width > 3 * 48


def test_the_demo_photograph_ships():
  with Image.open(jaxlic.pretrained.DEMO) as image:
    assert image.mode == "RGB" and min(image.size) >= 400
  assert jaxlic.pretrained.DEMO.stat().st_size <= 700_000


def test_export_makes_a_codec_of_a_run(run, refuse, tmp_path):
  config = lapped.get_config("toy")
  config.model.options = TOY_OPTIONS["lapped"]
  workdir, target = tmp_path / "run", tmp_path / "codec"
  words = "export", workdir, target
  assert "config.json" in refuse(*words)
  model, _, average, _ = make_toy("lapped")
  model = model._replace(init=lambda key: average)
  with Run(workdir, config, main=True) as saved:
    saved.describe()
    assert "no checkpoint" in refuse(*words)
    chain = optimizer.make(config.optimizer)
    saved.save(training.init_state(model, chain, config), 0)

  assert "codec codec" in run(*words)
  found = zoo.load(target)
  expected = np.asarray(average["forward"], np.float16)
  np.testing.assert_array_equal(found.params["forward"], expected)
  assert "codec mine" in run(*words, "--name", "mine", "--checkpoint", "0")
  assert "no checkpoint 7" in refuse(*words, "--checkpoint", "7")
  assert "1..64 characters" in refuse(*words, "--name", "Not A Name")
  assert "codec my-codec" in run(*words[:2], tmp_path / "My Codec")
  assert "with --name" in refuse(*words[:2], tmp_path / "é")


def test_version(capsys):
  with pytest.raises(SystemExit, match="0"):
    cli.main(["--version"])
  assert capsys.readouterr().out == f"jaxlic {jaxlic.__version__}\n"


# What is refused: exit code 2, one line, no output.


@pytest.mark.parametrize("kind", ["text", "folder", "missing", "empty"])
def test_what_is_no_image_is_refused(refuse, model, tmp_path, kind):
  source, target = tmp_path / "in.png", tmp_path / "out.jlic"
  if kind == "folder":
    source.mkdir()
  elif kind != "missing":
    source.write_text("no image\n" if kind == "text" else "")
  for command, to in (("compress", target), ("decompress", "out.png")):
    line = refuse(command, source, tmp_path / to, "--model", model)
    assert str(source) in line or "not a .jlic file" in line
  assert sorted(tmp_path.iterdir()) == ([] if kind == "missing" else [source])


def test_a_file_cut_anywhere_is_refused(refuse, model, jlic, tmp_path):
  source, target = tmp_path / "cut.jlic", tmp_path / "out.png"
  for length in range(len(jlic)):
    source.write_bytes(jlic[:length])
    refuse("decompress", source, target, "--model", model)
    refuse("info", source)
  assert not target.exists()


def test_flipped_bytes_are_refused(model, jlic):
  random = np.random.default_rng(2)
  for _ in range(1000):
    damaged = np.frombuffer(jlic, np.uint8).copy()
    at = random.integers(len(jlic), size=random.integers(1, 9))
    at = np.unique(at)
    damaged[at] ^= random.integers(1, 256, at.size).astype(np.uint8)
    with pytest.raises(JaxlicError):
      files.decompress(damaged.tobytes(), model=model)


def test_a_header_of_too_many_pixels_is_refused(
  refuse, model, jlic, monkeypatch, tmp_path
):
  huge = dataclasses.replace(container.unpack(jlic), height=10**9, width=10**9)
  with monkeypatch.context() as patch:
    patch.setattr(container, "check_size", lambda *_: None)
    (tmp_path / "huge.jlic").write_bytes(container.pack(huge))
  words = tmp_path / "huge.jlic", tmp_path / "out.png", "--model", model
  assert "1000000000 x 1000000000" in refuse("decompress", *words)
  assert "1000000000 x 1000000000" in refuse("info", words[0])
  assert not (tmp_path / "out.png").exists()


def test_a_file_of_other_weights_is_refused(refuse, model, jlic, tmp_path):
  source, target = tmp_path / "a.jlic", tmp_path / "out.png"
  b = container.unpack(jlic)
  other = dataclasses.replace(b, fingerprint=b.fingerprint ^ 1)
  source.write_bytes(container.pack(other))
  line = refuse("decompress", source, target, "--model", model)
  assert f"{other.fingerprint:#010x}" in line and "name the codec" in line
  assert "not embedded" in refuse("decompress", source, target)
  assert not target.exists()


def test_an_output_without_a_place_is_refused(
  refuse, model, png, jlic, tmp_path
):
  source = tmp_path / "a.jlic"
  source.write_bytes(jlic)
  folder, missing = tmp_path / "folder", tmp_path / "missing"
  folder.mkdir()
  for command, start in (("compress", png), ("decompress", source)):
    words = command, start
    assert "is a folder" in refuse(*words, folder, "--model", model)
    line = refuse(*words, missing / "out.png", "--model", model)
    assert "no folder" in line
  assert "no folder" in refuse("eval", tmp_path, "--out", missing / "a.json")
  assert "no folder" in refuse("demo", "--out", missing / "a.png")
  assert not missing.exists() and not list(folder.iterdir())


def test_an_unknown_suffix_is_refused_before_work_is_done(
  refuse, monkeypatch, model, jlic, tmp_path
):
  source = tmp_path / "a.jlic"
  source.write_bytes(jlic)
  for name in ("compress_photo", "decompress_photo"):
    monkeypatch.setattr(files, name, raising(AssertionError("too late")))
  words = "decompress", source, tmp_path / "out.xyz", "--model", model
  assert "cannot write the suffix '.xyz'" in refuse(*words)
  assert "suffix" in refuse("demo", "--out", tmp_path / "a", "--model", model)
  assert sorted(tmp_path.iterdir()) == [source]


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
  for target in (png, link):
    line = refuse("compress", png, target, "--model", model)
    assert "would replace the input" in line
  assert Path(png).read_bytes() == before


@pytest.mark.parametrize(
  "words",
  [
    [],
    ["shrink"],
    ["compress"],
    ["compress", "a", "b", "--fast"],
    ["eval", ".", "--qualities", "1,,2"],
    ["eval", ".", "--qualities", "9"],
    ["eval", ".", "--out", "a", "--csv", "a"],
    ["eval", ".", "--qualities", "0:6"],
    ["eval", ".", "--qualities", "0:6:0"],
    ["eval", ".", "--qualities", "0:x:1"],
    ["eval", ".", "--qualities", "0:6:nan"],
    ["compress", "a", "b", "--quality", "1", "--target-bpp", "1"],
    ["compress", "a", "b", "--target-psnr", "30", "--target-bpp", "1"],
    ["eval", "missing"],
    ["export", ".", "out"],
  ],
)
def test_wrong_words_are_refused(refuse, words, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  refuse(*words)
  assert not list(tmp_path.iterdir())


def test_lack_of_memory_is_one_line(refuse, monkeypatch):
  for error in (MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 8 GB")):
    monkeypatch.setattr(commands, "info", raising(error))
    assert "not enough memory" in refuse("info", "a.jlic")


def test_an_unexpected_system_error_is_one_line(refuse, monkeypatch):
  full = OSError(28, "No space left on device", "a.jlic")
  monkeypatch.setattr(commands, "info", raising(full))
  assert refuse("info", "x") == "jaxlic: a.jlic: No space left on device\n"


def test_an_interrupt_is_silent(monkeypatch, capsys):
  monkeypatch.setattr(commands, "info", raising(KeyboardInterrupt()))
  assert cli.main(["info", "a.jlic"]) == 130
  assert capsys.readouterr() == ("", "")


def raising(error):
  def command(_):
    raise error

  return command


# What only a process of its own shows.


def process(*words, **options):
  environment = os.environ | {"PYTHONPATH": str(ROOT)}
  environment.pop("JAX_COMPILATION_CACHE_DIR", None)
  environment |= options.pop("environment", {})
  return subprocess.run(
    [sys.executable, *map(str, words)],
    env=environment,
    stdin=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  )


def test_info_does_not_import_jax(jlic, tmp_path):
  (tmp_path / "a.jlic").write_bytes(jlic)
  program = (
    "import sys; from jaxlic import cli; "
    "code = cli.main(['info', sys.argv[1]]); "
    "sys.exit(code or 'jax' in sys.modules)"
  )
  done = process("-c", program, tmp_path / "a.jlic", stdout=subprocess.PIPE)
  assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_or_full_output_leaves_no_traceback(jlic, tmp_path):
  (tmp_path / "a.jlic").write_bytes(jlic)
  words = "-m", "jaxlic", "info", tmp_path / "a.jlic"
  reader, writer = os.pipe()
  os.close(reader)
  done = process(*words, stdout=writer)
  os.close(writer)
  assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, "")
  with open("/dev/full", "w") as full:
    done = process(*words, stdout=full)
  assert done.returncode == 2
  assert done.stderr == "jaxlic: No space left on device\n"


def test_compiled_programs_are_kept(model, tmp_path):
  Image.fromarray(noise(1, 1, 3)).save(tmp_path / "in.png")
  done = process(
    *("-m", "jaxlic", "compress", tmp_path / "in.png", tmp_path / "o.jlic"),
    *("--model", model),
    environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    stdout=subprocess.PIPE,
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert list((tmp_path / "cache" / "jaxlic").iterdir())


def test_no_cache_is_kept_where_it_cannot_be(monkeypatch, tmp_path):
  (tmp_path / "cache").write_text("no folder")
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  assert cli._cache_folder() is None
