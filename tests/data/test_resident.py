import types
from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image

from jaxlic.data import crops, device_crops, resident, sources
from jaxlic.errors import JaxlicError

# As in tests/data/test_stream.py: number i has samples i alone.
SIZES = [(9, 12), (8, 8), (20, 8), (13, 10), (8, 30), (11, 11), (16, 9)]
PIXELS = np.array([h * w for h, w in SIZES])


def save(folder, photos):
  for i, photo in enumerate(photos):
    Image.fromarray(photo).save(folder / f"{i}.png")
  return sources.open_source(folder)


@pytest.fixture
def flat(tmp_path):
  photos = [np.full((*size, 3), i, np.uint8) for i, size in enumerate(SIZES)]
  return resident.load(save(tmp_path, photos))


def load(folder, photo):
  folder.mkdir(exist_ok=True)
  return resident.load(save(folder, [photo]))


def draw(photos, numbers, *, crop=8, by="epochs", seed=3, **options):
  make = resident.make_draw(seed=seed, crop=crop, by=by, **options)
  return np.asarray(jax.jit(make)(photos, np.asarray(numbers, np.uint32)))


def test_each_photograph_comes_once_per_epoch_in_orders_of_their_own(flat):
  drawn = draw(flat, range(21))[:, 0, 0, 0].reshape(3, 7)
  assert (np.sort(drawn) == np.arange(7)).all()
  assert len({tuple(order) for order in drawn}) == 3


def test_photographs_come_in_proportion_to_their_pixels(flat):
  drawn = draw(flat, range(4000), by="pixels")[:, 0, 0, 0]
  counts = np.bincount(drawn, minlength=7)
  wanted = 4000 * PIXELS / PIXELS.sum()
  # Five standard deviations of a binomial count.
  assert (np.abs(counts - wanted) < 5 * np.sqrt(wanted)).all()


def test_an_example_depends_on_its_number_and_the_seed_alone(flat):
  together = draw(flat, range(6), by="pixels")
  apart = np.concatenate([draw(flat, [i], by="pixels") for i in range(6)])
  np.testing.assert_array_equal(together, apart)
  assert (draw(flat, range(6), by="pixels", seed=4) != together).any()


def test_crops_are_all_windows_in_all_orientations_alone(tmp_path):
  # As tests/data/test_crops.py has it for the stream.
  photo = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(4, 5, 3)
  windows = [
    photo[top : top + 3, left : left + 3] for top in (0, 1) for left in range(3)
  ]
  both = [w for window in windows for w in (window, window[:, ::-1])]
  wanted = {a.tobytes() for w in both for a in (w, w.swapaxes(0, 1))}
  drawn = draw(load(tmp_path / "a", photo), range(500), crop=3)
  assert len(wanted) == 24 and {crop.tobytes() for crop in drawn} == wanted


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 30), (5, 4)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_small_photographs_are_extended_by_reflection(tmp_path, shape, scale):
  photo = np.arange(3 * np.prod(shape), dtype=np.uint8).reshape(*shape, 3)
  photos = load(tmp_path / "a", photo)
  allowed = crops_of(photo, 400, size=9, scales=(1.0, 1.0))
  drawn = draw(photos, range(20), crop=9, smallest_scale=scale)
  # Their scale is 1, whatever is drawn, but for a width of 30 and height of 9.
  assert {crop.tobytes() for crop in drawn} <= allowed


def crops_of(photo, count, **options):
  rng = np.random.default_rng(0)
  drawn = [crops.draw(photo, rng, **options) for _ in range(count)]
  return {crop.tobytes() for crop in drawn}


class Fixed(np.random.Generator):
  """Draws what it is told."""

  def __init__(self, values):
    super().__init__(np.random.PCG64())
    self.values = values

  def random(self, count):
    assert count == len(self.values)
    return self.values


@pytest.mark.parametrize(
  ("shape", "drawn", "cut"),
  [
    ((47, 60), {"scales": (0.4, 1.0)}, {"smallest_scale": 0.4}),
    ((47, 60), {"windows": (40, 24, 16, 99)}, None),
    ((20, 33), {"windows": (24, 64)}, None),  # none fits
    ((20, 33), {"windows": (16,)}, None),
  ],
)
def test_resized_crops_are_those_of_the_stream(tmp_path, shape, drawn, cut):
  values = np.random.default_rng(0)
  # No filter leaves the range of bytes, where Pillow clips between rows and
  # columns.
  small = values.integers(64, 192, (9, 12, 3), np.uint8)
  photo = np.asarray(Image.fromarray(small).resize(shape[::-1]))
  photos = load(tmp_path / "a", photo)
  make = jax.jit(partial(device_crops.cut, crop=16, **(cut or drawn)))
  exact = drawn == {"windows": (16,)}
  for draws in values.random((40, 5)).astype(np.float32):
    wanted = crops.draw(photo, Fixed(draws), size=16, **drawn)
    error = np.abs(
      np.asarray(make(photos, np.int32(0), draws)).astype(int) - wanted
    )
    # Pillow rounds there, too, by 1/2 that 1.3 of weights multiply.
    assert error.max() <= (0 if exact else 2) and error.mean() < 0.3


def test_windows_reach_the_crops_of_a_draw(tmp_path):
  # A slope of 2 from row to row, of windows twice as large as the crop.
  ramp = np.arange(40, dtype=np.uint8)[:, None, None] * np.uint8(2)
  photos = load(tmp_path / "a", np.broadcast_to(ramp, (40, 40, 3)).copy())
  for crop in draw(photos, range(5), crop=10, windows=(20,)).astype(int):
    slopes = np.abs(np.diff(crop[3:-3, 3:-3], axis=0)).max()
    slopes = max(slopes, np.abs(np.diff(crop[3:-3, 3:-3], axis=1)).max())
    assert slopes == 4


def test_numbers_are_shared_as_the_stream_shares_its_examples():
  options = {"start": 2**32 - 8, "batch": 4, "dispatch": 3, "processes": 2}
  (first,), (second,) = (
    next(resident.numbers(process=i, **options)) for i in (0, 1)
  )
  wanted = (2**32 - 8 + np.arange(12)) % 2**32
  both = np.concatenate([first, second])  # [example, step]
  np.testing.assert_array_equal(both.T.ravel(), wanted)


def test_damaged_photographs_are_left_out(tmp_path, caplog):
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  save(tmp_path, [0 * noise, noise, 0 * noise + 2])
  whole = (tmp_path / "1.png").read_bytes()
  (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
  photos = resident.load(sources.open_source(tmp_path))
  assert set(draw(photos, range(8))[:, 0, 0, 0]) == {0, 2}
  assert "left out: 1.png" in caplog.text


def test_what_does_not_fit_is_refused(tmp_path, monkeypatch):
  device = types.SimpleNamespace(
    memory_stats=lambda: {"bytes_limit": 2**30, "bytes_in_use": 2**29}
  )
  monkeypatch.setattr(jax, "local_devices", lambda: [device])
  resident.check_fits(2**28, resident._free_bytes(1))
  match = r"fit 80% of a device's free memory, 0.5 GiB, these take 0.4 GiB dec"
  with pytest.raises(JaxlicError, match=match):
    resident.check_fits(int(0.42 * 2**30), resident._free_bytes(1))
  with pytest.raises(JaxlicError, match=r"at most 6.0 GiB .* 6.5 GiB decoded"):
    resident.check_fits(int(6.5 * 2**30), None)
  monkeypatch.setattr(resident, "_free_bytes", lambda copies: 200 // copies)
  source = save(tmp_path, [np.zeros((3, 3, 3), np.uint8)] * 2)
  resident.load(source, copies=1)
  with pytest.raises(JaxlicError, match="or set it to False"):
    resident.load(source, copies=2)
