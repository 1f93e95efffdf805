import pytest

from jaxlic.data import images
from jaxlic.errors import JaxlicError


def test_photos_are_listed_sorted_and_nested(tmp_path):
  names = [
    "b.PNG",
    "a.jpg",
    "sub/c.tif",
    "notes.txt",
    "._a.jpg",
    "d.png/e.gif",
    "e.HEIC",
  ]
  names += ["f.heif", "g.jxl"]
  for name in names:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  listed = [str(p.relative_to(tmp_path)) for p in images.list_photos(tmp_path)]
  assert listed == [
    "a.jpg",
    "b.PNG",
    "d.png/e.gif",
    "e.HEIC",
    "f.heif",
    "g.jxl",
    "sub/c.tif",
  ]


def test_listing_a_missing_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no such folder"):
    images.list_photos(tmp_path / "missing")


def test_listing_a_file_is_refused(tmp_path):
  (tmp_path / "a.png").touch()
  with pytest.raises(JaxlicError, match="not a folder"):
    images.list_photos(tmp_path / "a.png")


def test_listing_a_folder_without_images_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no such files here, wanted .png"):
    images.list_photos(tmp_path)


def test_hidden_folders_are_not_listed(tmp_path):
  for name in (".hidden/photos/a.png", "sub/.thumbnails/b.png", "sub/c.hif"):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
  folder = tmp_path / ".hidden" / "photos"
  assert images.list_photos(tmp_path) == [tmp_path / "sub" / "c.hif"]
  assert images.list_photos(folder) == [folder / "a.png"]


@pytest.mark.parametrize("suffix", ".hif .jfif .jpe .pbm .pnm .PNM".split())
def test_every_suffix_of_what_is_read_is_listed(tmp_path, suffix):
  (tmp_path / f"a{suffix}").touch()
  assert len(images.list_photos(tmp_path)) == 1
