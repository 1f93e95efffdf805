import dataclasses

import numpy as np
import pytest

from jaxlic import files
from jaxlic.coding import container
from jaxlic.errors import JaxlicError


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
  bitstream = container.unpack(jlic)
  payload = bitstream.payload._replace(height=10**9, width=10**9)
  huge = dataclasses.replace(bitstream, payload=payload)
  with monkeypatch.context() as patch:
    patch.setattr(container, "check_size", lambda *_: None)
    (tmp_path / "huge.jlic").write_bytes(container.pack(huge))
  words = tmp_path / "huge.jlic", tmp_path / "out.png", "--model", model
  assert "1000000000 x 1000000000" in refuse("decompress", *words)
  line = refuse("info", words[0])
  assert f"jaxlic: {words[0]}: " in line and "1000000000 x 1000000000" in line
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
