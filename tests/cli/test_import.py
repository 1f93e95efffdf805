import numpy as np
import pytest
from PIL import Image

from jaxlic import zoo
from jaxlic.compressai import names
from tests.compressai import fixture_files
from tests.compressai.fixture_files import FOLDER, state, updated_state


def test_an_imported_codec_decodes_to_compressais_picture(run, tmp_path):
  source, target = tmp_path / "model.pth.tar", tmp_path / "codec"
  fixture_files.write(source, {"state_dict": updated_state("mbt2018")})
  # CompressAI's own parameters, but quantiles, are its entries in float32.
  count = sum(
    array.size
    for key, array in names.canonical(state("mbt2018")).items()
    if array.dtype == np.float32 and not key.endswith("quantiles")
  )
  coded, decoded, files = tmp_path / "a.jlic", tmp_path / "a.png", []
  recorded = fixture_files.arrays("mbt2018")
  for flags in (["--name", "mine"], ["--keep-tables"]):
    text = run("import", "compressai", source, target, *flags)
    assert f"mbt2018, N = 6, M = 8, {count} parameters" in text
    trained = zoo.load(target)
    name = "mine" if "mine" in flags else "codec"
    told = f"a codec named {name}, fingerprint {trained.fingerprint:#010x}"
    assert told in text
    words = FOLDER / "image.png", coded, "--model", target
    run("compress", *words)
    run("decompress", coded, decoded, "--model", target)
    files.append(coded.read_bytes())
  assert files[0] != files[1]

  with Image.open(decoded) as file:
    shown = np.asarray(file)
  # Both round numbers to 8 bits that differ by 2e-6 at most.
  difference = shown[::3, 1::3].astype(int) - recorded["decoded"]
  assert np.abs(difference).max() <= 1 and np.mean(difference != 0) < 1e-3
  outcome = trained.codec.evaluate(trained.params, fixture_files.image()[0])
  np.testing.assert_array_equal(shown, np.rint(255 * outcome.image))
  z_bits = -np.log2(recorded["z_likelihood"]).sum()
  # One likelihood is 5e-6, a difference of float32 that errs by 6e-8 there.
  np.testing.assert_allclose(outcome.bits["z"], z_bits, atol=0.03)


@pytest.mark.parametrize(
  ("words", "rule"),
  [
    ([], "required: CHECKPOINT.pth, OUT_DIR"),
    (["views.pth"], "compared to"),
    (["image.png"], "cannot be read as a PyTorch checkpoint"),
    (["missing.pth"], "No such file"),
    (["training.pth", "--architecture", "mbt2018-mean"], "has no h_a"),
    (["training.pth", "--name", "Not A Name"], "1..64 characters"),
  ],
)
def test_the_command_refuses_in_one_line(refuse, tmp_path, words, rule):
  if words:
    words = [FOLDER / words[0], tmp_path / "out", *words[1:]]
  assert rule in refuse("import", "compressai", *words)
  assert not (tmp_path / "out").exists()


def test_weights_that_are_no_numbers_are_refused(refuse, tmp_path):
  weights = dict(state("bmshj2018-factorized"))
  weights["g_a.0.bias"] = np.full(6, np.nan, np.float32)
  fixture_files.write(tmp_path / "in.pth", weights)
  words = tmp_path / "in.pth", tmp_path / "out"
  assert "weights are finite" in refuse("import", "compressai", *words)


def test_another_library_is_refused(refuse):
  line = refuse("import", "tensorflow", "in", "out")
  assert "invalid choice: 'tensorflow'" in line
