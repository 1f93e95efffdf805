"""Which photographs are trained on, and which are held out."""

import dataclasses
import pickle

import numpy as np
import pytest
from PIL import Image

from jaxlic.data import pack, selection, sources
from jaxlic.errors import JaxlicError

# Of several folders: by name, nested/ comes after f.png and before z.png.
SIDES = {
  "a.png": (9, 30),
  "b.jpg": (12, 12),
  "c.png": (40, 8),
  "d.png": (20, 11),
  "e.webp": (7, 7),
  "f.png": (16, 16),
  "nested/a.png": (10, 10),
  "z.png": (9, 9),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("photos")
  (folder / "nested").mkdir()
  for name, (height, width) in SIDES.items():
    Image.new("RGB", (width, height)).save(folder / name)
  return folder


@pytest.fixture(scope="module", params=["folder", "records"])
def source(request, folder):
  if request.param == "folder":
    return sources.open_source(folder)
  target = folder.parent / "photos.array_record"
  pack.pack(folder, target, force=True)
  return sources.open_source(target)


def names(source):
  return [source[i].name for i in range(len(source))]


def by_hand(least, limit, split):
  """The names that are trained on and held out, and how many are small."""
  large = [name for name, sides in SIDES.items() if min(sides) >= least]
  used = large[:limit] if limit else large
  border = len(used) - split
  return used[:border], used[border:], len(SIDES) - len(large)


@pytest.mark.parametrize("least", [0, 1, 8, 9, 10, 16])
@pytest.mark.parametrize("limit", [0, 1, 3, 99])
def test_the_first_of_those_that_are_large_enough_are_used(
  source, least, limit
):
  wanted, _, small = by_hand(least, limit, 0)
  chosen = selection.select(source, smallest_side=least, limit=limit)
  assert names(chosen.trained) == wanted
  assert (chosen.small, chosen.held) == (small, None)


@pytest.mark.parametrize("split", [1, 2])
@pytest.mark.parametrize(("least", "limit"), [(0, 0), (9, 0), (9, 4), (0, 3)])
def test_the_last_of_them_are_held_out(source, least, limit, split):
  trained, held, small = by_hand(least, limit, split)
  chosen = selection.select(
    source, smallest_side=least, limit=limit, split=split
  )
  assert names(chosen.trained) == trained and names(chosen.held) == held
  assert chosen.small == small


def test_nothing_asked_for_is_the_source_itself(source):
  assert selection.select(source).trained is source


def test_workers_may_have_what_was_chosen(source):
  chosen = selection.select(source, smallest_side=9, split=1)
  for part in (chosen.trained, chosen.held):
    assert names(pickle.loads(pickle.dumps(part))) == names(part)


def test_a_folders_sides_are_known_without_reading_its_files(folder):
  def fetch(i):
    raise AssertionError(f"reads {i}")

  opened = sources.open_source(folder)
  assert opened.sizes == tuple(SIDES.values())
  unread = dataclasses.replace(opened, fetch=fetch)
  chosen = selection.select(unread, smallest_side=10)
  assert chosen.trained.sizes == ((12, 12), (20, 11), (16, 16), (10, 10))


@pytest.mark.parametrize(
  ("options", "match"),
  [
    (
      {"smallest_side": 17},
      "below 17 pixels, here all 8: the best has 16; low",
    ),
    ({"split": 8}, "to train on, got 8 of the 8 that are used; lower it"),
    ({"limit": 2, "split": 3}, "to train on, got 3 of the 2 that are used"),
  ],
)
def test_a_selection_of_nothing_is_refused(source, options, match):
  with pytest.raises(JaxlicError, match=match):
    selection.select(source, **options)


def test_a_photograph_without_a_header_is_small_and_named(source, caplog):
  def fetch(i):
    record = source[i]
    return record._replace(data=b"no image") if i == 1 else record

  damaged = dataclasses.replace(source, fetch=fetch, sizes=None)
  chosen = selection.select(damaged, smallest_side=1)
  assert names(chosen.trained) == [n for n in SIDES if n != "b.jpg"]
  assert chosen.small == 1 and "left out: b.jpg" in caplog.text


def test_no_tile_is_trained_on_beside_a_held_out_one(tmp_path):
  (tmp_path / "photos").mkdir()
  for name in ("a", "b", "c"):
    photo = np.zeros((8, 24, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photos" / f"{name}.png")
  target = tmp_path / "tiles.array_record"
  pack.pack(tmp_path / "photos", target, tile=8)
  tiles = sources.open_source(target)
  assert len(tiles) == 9
  chosen = selection.select(tiles, split=4)
  held = ["b.png@0,16", "c.png@0,0", "c.png@0,8", "c.png@0,16"]
  assert names(chosen.held) == held
  assert names(chosen.trained) == ["a.png@0,0", "a.png@0,8", "a.png@0,16"]
  with pytest.raises(JaxlicError, match="got 7 of the 9 that are used"):
    selection.select(tiles, split=7)
