import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxlic
from jaxlic import files, metrics, zoo
from jaxlic.coding import container
from jaxlic.data import images
from jaxlic.errors import JaxlicError

GOLDEN = Path(__file__).parents[1] / "golden"
MIB = 2**20


@pytest.fixture(scope="module")
def photo():
  return images.read(zoo.DEMO)


def test_the_embedded_codecs_fit_their_budget():
  folder = zoo.embedded_folder(zoo.DEFAULT).parent
  size = sum(path.stat().st_size for path in folder.rglob("*.*"))
  assert size < 20 * MIB


def test_codecs_are_loaded_from_pretrained_as_from_the_zoo():
  pretrained = jaxlic.pretrained
  assert pretrained.names() == zoo.names() and pretrained.DEMO == zoo.DEMO
  assert pretrained.load(pretrained.DEFAULT) is jaxlic.load()
  assert (pretrained.folder(pretrained.DEFAULT) / "codec.json").is_file()


@pytest.mark.slow
def test_rate_and_psnr_grow_over_the_whole_sweep(photo):
  pixels = photo.pixels[:160, 200:360]
  sizes, psnrs = [], []
  for tenth in range(61):
    data = jaxlic.compress(pixels, quality=tenth / 10)
    sizes.append(len(data))
    psnrs.append(metrics.psnr_db(pixels, jaxlic.decompress(data)))
  assert (np.diff(sizes) > 0).all()
  assert (np.diff(psnrs) > 0).all()


def test_without_a_quality_it_is_the_middle(photo):
  # Of a size that is compiled already.
  pixels = photo.pixels[:160, 200:360]
  assert jaxlic.compress(pixels) == jaxlic.compress(pixels, quality=3)


@pytest.mark.slow
@pytest.mark.parametrize("quality", [0.0, 3.0, 6.0])
def test_file_size_matches_the_rate_estimate(photo, quality):
  # Header, row corrections and the tables' rounding cost less than 1 % and 64
  # bytes.
  trained = jaxlic.load()
  data = files.compress_photo(photo, quality=quality, model=trained)
  image = photo.pixels / np.float32(255)
  bits = trained.codec.evaluate(trained.params, image, quality).bits
  estimate = sum(bits.values()) / 8
  assert 0 < len(data) - estimate < 0.01 * estimate + 64


@pytest.mark.newest
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jlic")), ids=str)
def test_golden_files_still_decode(path):
  # Written by the release that introduced the format version or the codec;
  # beside each lies the picture it then decoded to. Synthesis is floating
  # point, so another processor may round a sample the other way.
  shown = jaxlic.decompress(path.read_bytes()).astype(int)
  wanted = images.read(path.with_suffix(".png")).pixels.astype(int)
  assert np.abs(shown - wanted).max() <= 1


@pytest.mark.newest
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v2-*.jlic")), ids=str)
def test_golden_files_keep_profile_exif_and_xmp(path):
  # The picture beside it has the same.
  kept = container.unpack(path.read_bytes())
  with Image.open(path.with_suffix(".png")) as image:
    info = image.info
  assert kept.version == 2
  assert kept.exif == info["exif"].removeprefix(b"Exif\0\0")
  assert kept.xmp == info.get("xmp")
  assert kept.icc_profile == info.get("icc_profile")


@pytest.mark.parametrize("version", [1, 2])
def test_every_version_has_golden_files(version):
  paths = list(GOLDEN.glob(f"v{version}-*.jlic"))
  assert len(paths) >= 2
  for path in paths:
    assert container.unpack(path.read_bytes()).version == version


@pytest.mark.newest
def test_golden_files_decode_in_a_program_of_its_own(tmp_path):
  # Optimized as users' programs are, which these tests are not.
  path = min(GOLDEN.glob("*.jlic"))
  out = tmp_path / "out.png"
  words = [sys.executable, "-m", "jaxlic", "decompress", path, out]
  subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
  shown = images.read(out).pixels.astype(int)
  wanted = images.read(path.with_suffix(".png")).pixels.astype(int)
  assert np.abs(shown - wanted).max() <= 1


def test_every_embedded_codec_has_a_golden_file_and_a_card():
  golden = {container.unpack(p.read_bytes()).model for p in _golden()}
  assert golden == set(zoo.names())
  for name in zoo.names():
    card = (zoo.embedded_folder(name) / "model_card.md").read_text()
    assert re.search(r"Kodak", card)


def test_damaged_weights_are_refused(tmp_path):
  for path in zoo.embedded_folder(zoo.DEFAULT).iterdir():
    (tmp_path / path.name).write_bytes(path.read_bytes())
  weights = dict(np.load(tmp_path / "weights.npz"))
  weights["forward"][0, 0] += 1
  np.savez(tmp_path / "weights.npz", **weights)
  with pytest.raises(JaxlicError, match="does not match its fingerprint"):
    zoo.load(tmp_path)


def _golden():
  paths = list(GOLDEN.glob("*.jlic"))
  assert paths
  return paths
