"""Files that nobody wrote: refused in one line, fast, in little memory."""

import contextlib
import functools
import itertools
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest

from jaxlic import files, zoo
from jaxlic.coding import container, range_coder, row_corrections
from jaxlic.data.images import Photo
from jaxlic.errors import JaxlicError
from jaxlic.zoo import ensemble
from tests import hostile
from tests.conftest import TOY_OPTIONS, make_toy, slow
from tests.data.images.exif_bytes import make_exif

# All that files can say, and all the ways in which symbols are coded.
CODECS = {
  "groups": ("lapped", {}),
  "order": ("mbt2018-checkerboard", {}),
  "mixtures": ("cheng2020-anchor-checkerboard", {"components": 3}),
  "ensemble": ("bmshj2018-factorized", {}),
  "gains": ("gained", {}),
  "cosets": (
    "lvqac-minnen2018",
    {"order": "checkerboard", "coset": "modelled"},
  ),
}
KINDS = [
  "order",
  "ensemble",
  slow("groups"),
  slow("mixtures"),
  slow("gains"),
  slow("cosets"),
]
FAST, SLOW = 1000, 17_000  # files for each: 2,000 of the first two; 10^5
# The share whose payload is damaged and all else put right: none of version 1,
# as one in 2^16 would have its 16-bit check by chance.
PAYLOADS, OLD_SHARE = 0.3, 0.1
EXIF = make_exif(orientation=1)  # with it, files are of version 2
HANG_S = 10  # of processor time; a file takes milliseconds
COMPILING_S = 1  # likewise, to cut a claimed size out of its blocks
COLOUR = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


class Honest(NamedTuple):
  """A codec, and files that it wrote."""

  codec: zoo.Trained
  data: list[bytes]  # the last one of version 1, the others of version 2
  symbols: list[bytes]  # of each file
  seconds: float  # of processor time, the longest of all


class Outcome(NamedTuple):
  """What became of a damaged file."""

  kind: str
  message: str  # "": it was decoded
  seconds: float  # of processor time
  peak_bytes: int  # more than before, while it is traced


@functools.cache
def honest(name):
  """The files of a codec of toy size, whose decoder is compiled."""
  trained = _trained(name)
  data = [
    files.compress_photo(photo, quality=quality, model=trained)
    for photo, quality in (
      (Photo(COLOUR, False, None, exif=EXIF), 0.0),
      (Photo(COLOUR, False, b"profile" * 20, exif=EXIF), None),
      (Photo(COLOUR[..., :1].repeat(3, -1), True, None, exif=EXIF), None),
      (Photo(COLOUR, False, b"profile" * 20), None),
    )
  ]
  decoded = [decode(one, trained) for one in data * 2]
  return Honest(
    trained,
    data,
    [symbols for symbols, _ in decoded[: len(data)]],
    max(seconds for _, seconds in decoded[len(data) :]),
  )


def _trained(name):
  architecture, options = CODECS[name]
  model, built, params, tables = make_toy(architecture, **options)
  if name == "ensemble":
    spec = ensemble.spec_of([model.spec] * 2, [0.01, 0.1])
    built = ensemble.make(spec, [model] * 2)
    params = {str(k): params for k in range(2)}
    tables = ensemble.join_tables([tables] * 2)
    model = model._replace(spec=spec)
  about = "toy", architecture, TOY_OPTIONS[architecture] | options, 0x12345678
  return zoo.Trained(*about, model.spec, built, params, tables)


def decode(data, trained):
  """The symbols of a file as bytes, and how long it took."""
  with symbols_seen() as seen:
    start = time.process_time()
    files.decompress_photo(data, model=trained)
    return seen[-1], time.process_time() - start


@contextlib.contextmanager
def symbols_seen():
  """A list to which every check of symbols adds what it checks."""
  seen, check = [], range_coder.check

  def seeing(arrays):
    arrays = [np.ascontiguousarray(array, "<i4") for array in arrays]
    seen.append(b"".join(array.tobytes() for array in arrays))
    return check(arrays)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(range_coder, "check", seeing)
    yield seen


@contextlib.contextmanager
def no_hang():
  """Ends what takes HANG_S seconds of processor time."""

  def end(*_):
    raise TimeoutError(f"a file took {HANG_S} s")

  before = signal.signal(signal.SIGPROF, end)
  signal.setitimer(signal.ITIMER_PROF, HANG_S)
  try:
    yield
  finally:
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def outcomes(name, *, count, seed):
  """What becomes of damaged files; fails where it is not what should."""
  codec, data, symbols, _ = honest(name)
  old = int(OLD_SHARE * count)
  for origin, damaged in itertools.chain(
    _made(data[:-1], 0, count=count - old, seed=seed, payloads=PAYLOADS),
    _made(data[-1:], len(data) - 1, count=old, seed=seed, payloads=0),
  ):
    start, traced = time.process_time(), traced_bytes()
    with symbols_seen() as seen, no_hang():
      message = _refusal(damaged.data, codec)
    if not message:
      # Another size, quality or profile may be claimed, of the same symbols.
      assert seen[-1] == symbols[origin], damaged
    assert "\n" not in message, damaged
    seconds = time.process_time() - start
    yield Outcome(damaged.kind, message, seconds, peak_bytes() - traced)


def _made(honest_files, first, **options):
  """Damaged files, each with the place of the honest one among all."""
  for damaged in hostile.damaged(honest_files, **options):
    yield first + damaged.origin, damaged


def _refusal(data, codec):
  """What is said of a file; "" of one that is decoded to what it claims."""
  try:
    photo = files.decompress_photo(data, model=codec)
  except JaxlicError as error:
    return str(error)
  claim = container.unpack(data).payload
  assert photo.pixels.shape == (claim.height, claim.width, 3)
  return ""


def traced_bytes():
  """Python's and NumPy's memory, of which a new peak is measured; 0: none."""
  if tracemalloc.is_tracing():
    tracemalloc.reset_peak()
  return tracemalloc.get_traced_memory()[0]


def peak_bytes():
  return tracemalloc.get_traced_memory()[1]


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_refused_or_has_the_honest_symbols(name):
  assert [data[4] for data in honest(name).data] == [2, 2, 2, 1]
  found = list(outcomes(name, count=FAST, seed=1))
  refused = [outcome for outcome in found if outcome.message]
  # Both happen: most is refused, and what tells nothing of symbols is not.
  assert 0.8 * FAST < len(refused) < FAST
  # The checksum hides no more than it has to from what reads on.
  assert sum("its CRC-32 is" in o.message for o in refused) < 0.2 * FAST


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
def test_no_damaged_file_takes_longer_than_an_honest_one(name):
  for outcome in outcomes(name, count=SLOW, seed=2):
    assert outcome.seconds < honest(name).seconds + COMPILING_S, outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
def test_no_damaged_file_takes_more_memory_than_an_honest_one(name):
  codec, data, *_ = honest(name)
  tracemalloc.start()
  try:
    traced = traced_bytes()
    files.decompress_photo(data[1], model=codec)
    most = peak_bytes() - traced
    for outcome in outcomes(name, count=FAST, seed=3):
      # What is inserted, and what is traced anew for another size.
      assert outcome.peak_bytes < most + 2**20, outcome
  finally:
    tracemalloc.stop()


def test_corrections_that_a_hostile_encoder_wrote_are_refused(monkeypatch):
  # The places 31, 1 and 2 of 32 rows, of which each group has 16: a search for
  # those of the first group would find all three.
  def push(encoder, rows, near_edge):
    assert rows.size == 32
    for values, unit, low_row in (
      ([3], row_corrections._COUNT_UNIT, row_corrections._COUNT_LOW),
      ([31, -31, 0], row_corrections._GAP_UNIT, row_corrections._GAP_LOW),
    ):
      row_corrections._push_split(encoder, np.array(values), unit, low_row)

  codec = honest("order").codec
  monkeypatch.setattr(row_corrections, "push", push)
  data = files.compress(COLOUR, model=codec)
  with pytest.raises(JaxlicError, match="corrected rows do not ascend"):
    files.decompress(data, model=codec)


CLAIM = """
import resource
from jaxlic import files, zoo
from jaxlic.coding import container
from jaxlic.types import Bitstream, Payload

trained = zoo.load("lapped-1")
payload = Payload(8192, 8192, quality=0.0, check=0, data=b"?")
file = container.pack(Bitstream(
  1, trained.name, trained.fingerprint, False, None, payload))
assert len(file) == 32

def peak_kib():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak_kib()
try:
  files.decompress(file)
except ValueError as error:
  print(peak_kib() - before, error)
"""


def test_32_bytes_that_claim_67_megapixels_take_no_memory():
  result = subprocess.run(
    [sys.executable, "-c", CLAIM],
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=True,
  )
  growth_kib, message = result.stdout.split(" ", 1)
  assert message.startswith("a file of 8192 x 8192 pixels under lapped has at")
  assert "at least 29214 bytes of payload, got 1: it is damaged" in message
  # JAX starts. The image alone takes 200 MB as bytes.
  assert int(growth_kib) < 100 * 1024
