import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxlic import cli, zoo
from jaxlic.compressai import convert, layers, layouts, torch_files
from jaxlic.compressai.layouts import LAYOUTS
from jaxlic.compressai.sequences import Layer, sequence
from jaxlic.entropy import factorized
from jaxlic.errors import JaxlicError
from tests.compressai import fixture_files
from tests.compressai.fixture_files import FOLDER, state, updated_state
from tests.compressai.test_names import OLD_FORMS, renamed

# make_fixtures.py; the widths of a channel context are always these.
NARROW, WIDE = {"width": 4}, {"width": 6, "latent": 8}
OPTIONS = {
  "bmshj2018-factorized": WIDE,
  "bmshj2018-factorized-relu": WIDE,
  "bmshj2018-hyperprior": WIDE,
  "mbt2018-mean": WIDE,
  "mbt2018": WIDE,
  "cheng2020-anchor": NARROW,
  "cheng2020-attn": NARROW,
  "elic2022": {
    "width": 4,
    "latent": 8,
    "groups": (2, 2),
    "context_widths": (224, 128),
  },
}


@pytest.fixture
def run(capsys):
  """Runs a command; returns its exit code and what it printed."""

  def run(*words):
    try:
      code = cli.main([str(word) for word in words])
    except SystemExit as error:  # argparse
      code = error.code
    out, err = capsys.readouterr()
    return code, out if code == 0 else err

  return run


def flat(params):
  return zoo._flat(params)


def assert_equal(found, expected):
  found, expected = flat(found), flat(expected)
  assert list(found) == list(expected)
  for path, array in found.items():
    np.testing.assert_array_equal(array, expected[path], strict=True)


# What is found.


def test_all_architectures_of_the_fixtures_are_imported():
  assert list(LAYOUTS) == list(OPTIONS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_architecture_and_its_widths_follow_from_the_weights(name):
  found = convert.convert(state(name))
  assert found.architecture == name
  assert found.options == OPTIONS[name]
  assert found.tables is None
  assert all(leaf.dtype == np.float32 for leaf in flat(found.params).values())
  named = convert.convert(state(name), name)
  assert_equal(named.params, found.params)


@pytest.mark.parametrize("form", OLD_FORMS)
def test_weights_of_older_releases_are_the_same(form):
  new = state("mbt2018-mean")
  found = convert.convert(renamed(new, form))
  assert found.architecture == "mbt2018-mean"
  assert_equal(found.params, convert.convert(new).params)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, jnp.bfloat16])
def test_weights_of_other_types_are_converted(dtype):
  weights = {
    key: array.astype(dtype) if array.dtype == np.float32 else array
    for key, array in state("bmshj2018-factorized").items()
  }
  kernel = weights["g_a.0.weight"].astype(np.float32).transpose(2, 3, 1, 0)
  found = convert.convert(weights).params
  np.testing.assert_array_equal(
    flat(found)["analysis/params/conv0/kernel"], kernel
  )


def test_layers_of_a_sequence_are_numbered_by_what_they_are():
  assert sequence("h_s", "part", "up_conv - gdn conv") == [
    Layer("up_conv", "h_s.0", "part/conv0"),
    Layer("gdn", "h_s.2", "part/gdn0"),
    Layer("conv", "h_s.3", "part/conv1"),
  ]


def test_blocks_are_numbered_as_one_and_have_their_own_layers():
  assert sequence("g_s", "part", "block up_subpixel block") == [
    Layer("conv", "g_s.0.conv1", "part/block0/conv0"),
    Layer("conv", "g_s.0.conv2", "part/block0/conv1"),
    Layer("subpixel", "g_s.1.0", "part/up0/conv"),
    Layer("conv", "g_s.2.conv1", "part/block1/conv0"),
    Layer("conv", "g_s.2.conv2", "part/block1/conv1"),
  ]


def test_a_density_is_shifted_by_its_medians():
  prefix = "entropy_bottleneck."
  weights = {
    key.removeprefix(prefix): array
    for key, array in convert.names.canonical(state("mbt2018-mean")).items()
    if key.startswith(prefix)
    and key.removeprefix(prefix) in layers.KINDS["density"].names
  }
  shifted = layers.density(weights)
  plain = layers.density(weights | {"quantiles": 0 * weights["quantiles"]})
  median = weights["quantiles"][:, 0, 1]
  np.testing.assert_array_equal(shifted["median"], median)
  assert np.abs(median).min() > 0.1
  x = median[:, None] + np.linspace(-9, 9, 19)
  residual = jnp.asarray(x - median[:, None], jnp.float32)
  # Logits of about 20 in float32.
  np.testing.assert_allclose(
    factorized.logits(shifted, residual),
    factorized.logits(plain, jnp.asarray(x, jnp.float32)),
    atol=2e-5,
  )


@pytest.mark.parametrize("name", ["mbt2018", "elic2022"])
def test_kept_tables_are_those_of_the_checkpoint(name):
  weights = updated_state(name)
  kept = convert.convert(weights, keep_tables=True).tables
  for stage, source in layouts.find(name, weights).tables.items():
    written = convert.tables.write(kept[stage])
    for buffer, array in written.items():
      np.testing.assert_array_equal(array, weights[f"{source}.{buffer}"])


def test_the_groups_of_elic_share_their_tables():
  for weights in (state("elic2022"), updated_state("elic2022")):
    kept = convert.convert(weights, keep_tables=True).tables
    assert list(kept) == ["z", "y0", "y1", "y2"]
    assert len({id(tables) for tables in kept.values()}) == 2


def test_a_checkpoint_without_tables_keeps_those_it_would_have():
  weights = updated_state("bmshj2018-hyperprior")
  empty = {
    key: array[:0] if key.endswith(convert._BUFFERS) else array
    for key, array in weights.items()
  }
  kept, made = (
    convert.convert(state, keep_tables=True).tables
    for state in (weights, empty)
  )
  for stage, tables in made.items():
    for array, expected in zip(tables, kept[stage], strict=True):
      np.testing.assert_array_equal(array, expected, strict=True)


# What is refused.


def test_other_models_are_refused():
  weights = state("bmshj2018-factorized")
  more = weights | {"Gain": np.ones(1, np.float32)}
  with pytest.raises(
    JaxlicError, match="factorized, the checkpoint has 'Gain'"
  ):
    convert.convert(more)
  del weights["g_s.2.bias"]
  with pytest.raises(
    JaxlicError, match="has no g_s.2.bias: give one of a model"
  ):
    convert.convert(weights)
  with pytest.raises(JaxlicError, match="has no g_s.2.bias: give"):
    convert.convert(weights, "bmshj2018-factorized")
  with pytest.raises(JaxlicError, match="hyperprior, the checkpoint has no h_"):
    convert.convert(state("bmshj2018-factorized"), "bmshj2018-hyperprior")
  with pytest.raises(JaxlicError, match="imported are .*, got 'jpeg'; choose"):
    convert.convert(weights, "jpeg")


@pytest.mark.parametrize(
  ("key", "shape", "rule"),
  [
    ("g_a.2.weight", (6, 6, 3, 3), r"\(6, 6, 5, 5\) at width 6, latent 8, got"),
    ("g_a.0.weight", (5, 3, 5, 5), r"g_a.0.bias of .* \(5,\) at width 5"),
    ("g_a.0.weight", (), "1 or more along axis 0 and no"),
    ("g_a.6.weight", (0, 6, 5, 5), "1 or more along axis 0 and no"),
    ("g_s.1.gamma", (6,), r"has the shape \(6, 6\)"),
    ("entropy_bottleneck.quantiles", (6, 1, 2), r"has the shape \(6, 1, 3\)"),
    ("entropy_bottleneck.matrices.0", (6, 1, 1), r"has the shape \(6, 3, 1\)"),
  ],
)
def test_other_shapes_are_refused(key, shape, rule):
  weights = state("mbt2018-mean") | {key: np.zeros(shape, np.float32)}
  with pytest.raises(JaxlicError, match=rule):
    convert.convert(weights)


def test_the_mean_scale_model_is_no_scale_hyperprior():
  # Their weights have the same names.
  rule = r"h_s.4.weight of .* \(8, 6, 3, 3\) at|h_s.0.* \(6, 6, 5, 5\) at"
  with pytest.raises(JaxlicError, match=rule):
    convert.convert(state("mbt2018-mean"), "bmshj2018-hyperprior")


@pytest.mark.parametrize(
  ("name", "key", "shape", "rule"),
  [
    # A bottleneck of 1 channel would have none inside.
    ("elic2022", "g_a.0.weight", (1, 3, 5, 5), "2 or more along axis 0"),
    ("cheng2020-attn", "g_a.0.conv1.weight", (1,), "2 or more along axis 0"),
    (
      "cheng2020-attn",
      "g_s.9.0.weight",
      (3, 4, 3, 3),
      r"\(12, 4, 3, 3\)",
    ),
    ("mbt2018", "entropy_parameters.0.weight", (26, 32), r"\(26, 32, 1, 1\)"),
    ("elic2022", "g_a.13.weight", (4, 4, 5, 5), "the rest of its 4, got"),
    (
      "elic2022",
      "latent_codec.y.latent_codec.y0.context_prediction.weight",
      (6, 3, 5, 5),
      r"of elic2022 has the shape .* groups \(3, 2\), context_widths",
    ),
  ],
)
def test_other_shapes_of_context_models_are_refused(name, key, shape, rule):
  weights = state(name) | {key: np.zeros(shape, np.float32)}
  with pytest.raises(JaxlicError, match=rule):
    convert.convert(weights)


def test_groups_of_elic_are_two_or_more_and_without_gaps():
  weights = state("elic2022")
  for gap, missing in (("y1", "channel_context.y1.0"), ("y0", "y0.context")):
    fewer = {k: v for k, v in weights.items() if f".{gap}." not in k}
    with pytest.raises(JaxlicError, match=f"elic2022, .* has no .*{missing}"):
      convert.convert(fewer)


@pytest.mark.parametrize(
  ("buffer", "change", "rule"),
  [
    ("_quantized_cdf", lambda a: a[:, :-1], "row 63 does not"),
    ("scale_table", lambda a: 2 * a, "from 0.11 to 256, got 0.22 to 512"),
    ("scale_table", lambda a: a[1:], "from 0.11 to 256, got 0.12"),
  ],
)
def test_tables_of_another_kind_are_refused(buffer, change, rule):
  weights = updated_state("mbt2018-mean")
  key = f"gaussian_conditional.{buffer}"
  with pytest.raises(JaxlicError, match=rule):
    convert.convert(weights | {key: change(weights[key])}, keep_tables=True)
  convert.convert(weights | {key: change(weights[key])})


def test_too_few_tables_are_refused():
  weights = updated_state("mbt2018-mean")
  fewer = {
    key: array[1:] if key.split(".")[-1] in convert.tables.BUFFERS else array
    for key, array in weights.items()
  }
  with pytest.raises(JaxlicError, match="bottleneck has 6 tables, got 5; imp"):
    convert.convert(fewer, keep_tables=True)


# On the command line.


def test_an_imported_codec_decodes_to_compressais_picture(run, tmp_path):
  source, target = tmp_path / "model.pth.tar", tmp_path / "codec"
  fixture_files.write(source, {"state_dict": updated_state("mbt2018")})
  # CompressAI's own parameters, but quantiles, are its entries in float32.
  count = sum(
    array.size
    for key, array in convert.names.canonical(state("mbt2018")).items()
    if array.dtype == np.float32 and not key.endswith("quantiles")
  )
  coded, decoded, files = tmp_path / "a.jlic", tmp_path / "a.png", []
  recorded = fixture_files.arrays("mbt2018")
  for flags in (["--name", "mine"], ["--keep-tables"]):
    code, text = run("import", "compressai", source, target, *flags)
    assert code == 0 and f"mbt2018, N = 6, M = 8, {count} parameters" in text
    trained = zoo.load(target)
    name = "mine" if "mine" in flags else "codec"
    assert f"codec {name} {trained.fingerprint:#010x}" in text
    words = FOLDER / "image.png", coded, "--model", target
    assert run("compress", *words)[0] == 0
    assert run("decompress", coded, decoded, "--model", target)[0] == 0
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


@pytest.mark.parametrize("form", ["", "-legacy"])
def test_a_trainings_checkpoint_is_converted(form):
  weights = torch_files.read(FOLDER / f"training{form}.pth")
  found = convert.convert(weights)
  assert found.architecture == "bmshj2018-factorized"
  assert found.options == {"width": 2, "latent": 3}


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
def test_the_command_refuses_in_one_line(run, tmp_path, words, rule):
  if words:
    words = [FOLDER / words[0], tmp_path / "out", *words[1:]]
  code, line = run("import", "compressai", *words)
  assert code == 2 and rule in line
  assert line.startswith("jaxlic: ") and line.count("\n") == 1
  assert not (tmp_path / "out").exists()


def test_weights_that_are_no_numbers_are_refused(run, tmp_path):
  weights = dict(state("bmshj2018-factorized"))
  weights["g_a.0.bias"] = np.full(6, np.nan, np.float32)
  fixture_files.write(tmp_path / "in.pth", weights)
  code, line = run(
    "import", "compressai", tmp_path / "in.pth", tmp_path / "out"
  )
  assert code == 2 and "weights are finite" in line


def test_another_library_is_refused(run):
  code, line = run("import", "tensorflow", "in", "out")
  assert code == 2 and "invalid choice: 'tensorflow'" in line
