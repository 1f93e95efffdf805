import pytest

from jaxlic import files
from tests.cli.conftest import raising


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
    suffix = ".jlic" if command == "compress" else ".png"
    line = refuse(*words, missing / f"out{suffix}", "--model", model)
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
  assert "a picture by jaxlic ends in .png, " in refuse(*words)
  assert "suffix" in refuse("demo", "--out", tmp_path / "a", "--model", model)
  assert sorted(tmp_path.iterdir()) == [source]
