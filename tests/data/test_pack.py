import os

import numpy as np
import pytest
from PIL import Image

from jaxlic import cli
from jaxlic.data import pack, sources, stream
from jaxlic.errors import JaxlicError

SIZES = {"a.png": (7, 9), "b.png": (4, 4), "sub/c.png": (3, 11)}


@pytest.fixture
def folder(tmp_path):
  folder = tmp_path / "photos"
  (folder / "sub").mkdir(parents=True)
  for name, size in SIZES.items():
    photo = np.random.default_rng(size).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(photo).save(folder / name)
  return folder


@pytest.fixture
def target(tmp_path):
  return tmp_path / "photos.array_record"


@pytest.fixture
def damaged(folder):
  """The folder, with a photograph cut short and a text named as one."""
  data = (folder / "a.png").read_bytes()
  (folder / "cut.png").write_bytes(data[:-30])
  (folder / "text.png").write_text("a text")
  return folder


def records(path):
  source = sources.open_source(path)
  return [source[i] for i in range(len(source))]


def test_files_are_stored_as_they_are(folder, target):
  packed = pack.pack(folder, target)
  assert packed == (3, (), 3, target.stat().st_size)
  assert records(target) == records(folder)


def test_packed_files_give_the_stream_of_their_folder(folder, target):
  pack.pack(folder, target)
  first, second = [
    stream.batches(sources.open_source(path), batch=9, crop=4, seed=0)
    for path in (folder, target)
  ]
  np.testing.assert_array_equal(next(first).images, next(second).images)


@pytest.mark.parametrize("tile", [1, 3, 4, 7, 100])
def test_tiles_cover_every_pixel(folder, target, tile):
  packed = pack.pack(folder, target, tile=tile)
  photos = {r.name: sources.decode(r) for r in records(folder)}
  covered = {name: np.zeros(SIZES[name], bool) for name in photos}
  tiles = records(target)
  assert packed.records == len(tiles) and packed.photos == 3
  for record in tiles:
    name, place = record.name.split("@")
    top, left = map(int, place.split(","))
    height, width = (min(tile, side) for side in SIZES[name])
    window = np.s_[top : top + height, left : left + width]
    np.testing.assert_array_equal(sources.decode(record), photos[name][window])
    covered[name][window] = True
  assert all(pixels.all() for pixels in covered.values())
  assert len(tiles) == sum(
    -(-h // tile) * -(-w // tile) for h, w in SIZES.values()
  )


def test_damaged_files_are_left_out(damaged, target):
  assert pack.pack(damaged, target)[:3] == (3, ("cut.png", "text.png"), 3)


def test_progress_sees_every_photograph(folder, target):
  seen = []
  pack.pack(folder, target, progress=lambda paths: seen.append(paths) or paths)
  assert [path.name for path in seen[0]] == ["a.png", "b.png", "c.png"]


def test_more_photographs_than_are_decoded_at_once_are_stored(
  folder, target, monkeypatch
):
  monkeypatch.setattr(pack, "_AT_ONCE", 2)
  assert pack.pack(folder, target).records == 3


@pytest.mark.parametrize("old", [False, True])
def test_a_failure_leaves_what_was_there_and_no_other(folder, target, old):
  if old:
    pack.pack(folder, target)
  kept = target.read_bytes() if old else None
  before = sorted(os.listdir(target.parent))

  def stop(paths):
    yield paths[0]
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    pack.pack(folder, target, progress=stop)
  assert sorted(os.listdir(target.parent)) == before
  assert not old or target.read_bytes() == kept


def test_a_folder_without_a_sound_photograph_is_refused(tmp_path, target):
  (tmp_path / "text.png").write_text("a text")
  with pytest.raises(JaxlicError, match="none of the 1 image files"):
    pack.pack(tmp_path, target)
  assert os.listdir(tmp_path) == ["text.png"]


def test_a_full_disk_is_refused(folder, target, monkeypatch):
  monkeypatch.setattr("jaxlic.data.output.secrets.token_hex", lambda n: "0")
  (target.parent / ".jaxlic-0").symlink_to("/dev/full")
  with pytest.raises(JaxlicError, match="cannot write .*No space left"):
    pack.pack(folder, target)


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"tile": 0}, "tiles have a side of 1 pixel or more, got 0"),
    ({"max_side": 0}, "photographs have a side of 1 pixel or more, got 0"),
    ({"target": "a.bin"}, "a.bin: a file of records ends in .array_record"),
    ({"target": "missing/a.array_record"}, "no folder .*missing; create it"),
    ({"folder": "missing"}, "missing: no such folder"),
  ],
)
def test_impossible_requests_are_refused(
  folder, target, monkeypatch, options, match
):
  monkeypatch.chdir(folder)
  with pytest.raises(JaxlicError, match=match):
    pack.pack(**{"folder": folder, "target": target} | options)


def test_prepare_says_what_it_wrote(damaged, target, capsys):
  assert cli.main(["prepare", str(damaged), str(target)]) == 0
  out, err = capsys.readouterr()
  assert out.splitlines() == [
    f"{target}: 3 photographs, 3 records, {target.stat().st_size} bytes",
    "left out 2 unreadable files: cut.png, text.png",
  ]
  assert err == ""


def test_prepare_cuts_tiles(folder, target, capsys):
  words = ["--tile", "4", "--max-side", "99"]
  assert cli.main(["prepare", str(folder), str(target), *words]) == 0
  assert "3 photographs, 10 records" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("words", "match"),
  [
    (["missing", "a.array_record"], "jaxlic: missing: no such folder"),
    ([".", "a.bin"], "jaxlic: a.bin: a file of records ends in"),
    ([".", "a.array_record", "--tile=x"], "--tile: invalid int value: 'x'"),
  ],
)
def test_prepare_refuses_in_one_line(folder, monkeypatch, capsys, words, match):
  monkeypatch.chdir(folder)
  try:
    code = cli.main(["prepare", *words])
  except SystemExit as error:  # argparse
    code = error.code
  out, err = capsys.readouterr()
  assert (code, out) == (2, "")
  assert match in err and err.startswith("jaxlic: ") and err.count("\n") == 1


def test_large_photographs_are_shrunk_and_small_ones_stored_as_they_are(
  tmp_path, target
):
  tmp_path.joinpath("photos").mkdir()
  ramp = np.arange(40)[:, None, None] + np.zeros((40, 20, 3))
  for name, photo in (("large", ramp), ("small", ramp[:10])):
    path = tmp_path / "photos" / f"{name}.png"
    Image.fromarray(photo.astype(np.uint8)).save(path)
  pack.pack(tmp_path / "photos", target, max_side=20)
  large, small = records(target)
  assert large.data.startswith(b"\x89PNG")
  shrunk = sources.decode(large).astype(float)
  assert shrunk.shape == (20, 10, 3)
  # Means of two rows each, but for the filter's reach at the ends.
  np.testing.assert_allclose(
    shrunk[2:-2, :, 0], ramp[4:-4:2, :10, 0] + 0.5, atol=0.51
  )
  assert small.data == (tmp_path / "photos" / "small.png").read_bytes()
  packed = pack.pack(tmp_path / "photos", target, max_side=20, tile=10)
  assert packed.records == 2 + 2
