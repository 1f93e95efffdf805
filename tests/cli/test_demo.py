from PIL import Image

from jaxlic import zoo
from tests.cli.conftest import noise


def test_demo_compares_at_the_size_of_its_file(
  run, model, monkeypatch, tmp_path
):
  small = tmp_path / "demo.png"
  Image.fromarray(noise(48, 48, 3)).save(small)
  monkeypatch.setattr(zoo, "DEMO", small)
  out = tmp_path / "row.png"
  text = run("demo", "--out", out, "--model", model, "--quality", "0")
  # No JPEG is as small as an untrained codec's file at its lowest quality.
  assert "jaxlic tiny" in text and "no JPEG is as small" in text
  with Image.open(out) as image:
    assert image.width > 3 * 48


def test_the_demo_photograph_ships():
  with Image.open(zoo.DEMO) as image:
    assert image.mode == "RGB" and min(image.size) >= 400
  assert zoo.DEMO.stat().st_size <= 700_000
