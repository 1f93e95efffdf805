import json
import sys

import jax
import numpy as np
import pytest

from jaxlic import codec, models, zoo
from jaxlic.errors import JaxlicError
from tests.conftest import TOY_OPTIONS, make_toy

NAME = "bmshj2018-factorized"


@pytest.fixture
def folder(tmp_path):
  """A codec's folder."""
  zoo.export(
    tmp_path / "codec",
    name="toy",
    architecture=NAME,
    options=TOY_OPTIONS[NAME],
    params=make_toy(NAME)[2],
  )
  return tmp_path / "codec"


def test_a_codec_comes_back_in_half_precision(folder):
  loaded = zoo.load(folder)
  rounded = jax.tree.map(
    lambda leaf: np.asarray(leaf, np.float16).astype(np.float32),
    make_toy(NAME)[2],
  )
  jax.tree.map(np.testing.assert_array_equal, loaded.params, rounded)
  frozen = loaded.codec.freeze(rounded)["y"]
  for stored, anew in zip(loaded.tables["y"], frozen, strict=True):
    np.testing.assert_array_equal(stored, anew)


def test_a_codec_comes_back_in_single_precision_with_tables_of_its_own(
  tmp_path,
):
  params, tables = make_toy(NAME)[2:]
  # Not those of the parameters.
  tables = {"y": tables["y"]._replace(offsets=tables["y"].offsets + 1)}
  loaded = zoo.export(
    tmp_path / "codec",
    name="toy",
    architecture=NAME,
    options=TOY_OPTIONS[NAME],
    params=params,
    dtype="float32",
    tables=tables,
  )
  jax.tree.map(np.testing.assert_array_equal, loaded.params, params)
  for stored, given in zip(loaded.tables["y"], tables["y"], strict=True):
    np.testing.assert_array_equal(stored, given)


def test_a_codec_keeps_the_constants_of_its_normalization(tmp_path):
  changed = {"norm": {"preset": "square", "gamma_min": 0.25}}
  options = TOY_OPTIONS[NAME] | changed
  built, params = codec.make(models.make(NAME, **options)), make_toy(NAME)[2]
  loaded = zoo.export(
    tmp_path / "codec",
    name="toy",
    architecture=NAME,
    options=options,
    params=params,
    dtype="float32",
  )
  assert loaded.options == options
  image = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
  shown = loaded.codec.evaluate(loaded.params, image, 0.0).image
  expected = built.evaluate(params, image, 0.0).image
  np.testing.assert_array_equal(shown, expected)
  other = make_toy(NAME)[1].evaluate(params, image, 0.0).image
  assert np.abs(other - expected).max() > 1e-3


@pytest.mark.parametrize("file", zoo.FILES)
@pytest.mark.parametrize("content", [b"", b"42", b"PK\x03\x04 no archive"])
def test_a_file_of_something_else_is_refused(folder, file, content):
  (folder / file).write_bytes(content)
  with pytest.raises(JaxlicError, match="cannot be read .*copy it again"):
    zoo.load(folder)


def test_flipped_bytes_are_refused(folder):
  rng = np.random.default_rng(0)
  for file in ("weights.npz", "tables.npz"):
    whole = (folder / file).read_bytes()
    for _ in range(40):
      damaged = bytearray(whole)
      damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
      (folder / file).write_bytes(damaged)
      try:
        loaded = zoo.load(folder)
      except JaxlicError:
        continue
      # A flip in an archive's dates or names of no meaning changes nothing.
      assert (
        loaded.fingerprint
        == json.loads((folder / "codec.json").read_text())["fingerprint"]
      )
    (folder / file).write_bytes(whole)


def test_a_missing_file_is_named(folder):
  (folder / "tables.npz").unlink()
  with pytest.raises(JaxlicError, match="has no tables.npz"):
    zoo.load(folder)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
  params = jax.tree.map(lambda leaf: leaf * 1e9, make_toy(NAME)[2])
  with pytest.raises(JaxlicError, match="finite and below 65,504"):
    zoo.export(
      tmp_path / "codec",
      name="toy",
      architecture=NAME,
      options=TOY_OPTIONS[NAME],
      params=params,
    )
  assert not (tmp_path / "codec").exists()


@pytest.mark.parametrize(
  "architecture", ["planted", "planted:make", "planted.py", "./planted.py"]
)
def test_a_folder_names_an_architecture_and_never_code_to_run(
  folder, monkeypatch, architecture
):
  monkeypatch.chdir(folder)
  monkeypatch.syspath_prepend(folder)
  (folder / "planted.py").write_text("open('ran', 'w')\nmake = dict\n")
  about = json.loads((folder / "codec.json").read_text())
  about["architecture"] = architecture
  (folder / "codec.json").write_text(json.dumps(about))
  with pytest.raises(JaxlicError, match="an architecture is one of .*--import"):
    zoo.load(folder)
  assert not (folder / "ran").exists() and "planted" not in sys.modules


def test_a_model_that_is_defined_anew_is_what_a_folder_means(
  folder, monkeypatch
):
  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
  first = zoo.load(folder)
  assert zoo.load(folder).codec is first.codec
  make = models.MODELS[NAME]
  models.MODELS[NAME] = lambda **options: make(**options)
  assert zoo.load(folder).codec is not first.codec


def test_a_density_that_another_device_could_not_decode_is_not_exported(
  tmp_path, monkeypatch
):
  model = models.make("mbt2018-mean", width=6, latent=8)
  stages = (
    s._replace(density=s.density._replace(near_edge=None)) for s in model.stages
  )
  model = model._replace(stages=tuple(stages))
  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
  models.register("unsafe", lambda: model)
  with pytest.raises(JaxlicError, match="rows depend on floats .* give it one"):
    zoo.export(
      tmp_path / "codec", name="a", architecture="unsafe", options={}, params={}
    )
  assert not (tmp_path / "codec").exists()
