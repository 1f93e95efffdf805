import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.compressai import convert, torch_files
from jaxlic.compressai.layouts import LAYOUTS
from jaxlic.errors import JaxlicError
from jaxlic.zoo import arrays
from tests.compressai.fixture_files import FOLDER, state
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


def assert_equal(params, expected):
  params, expected = arrays.flat(params), arrays.flat(expected)
  assert list(params) == list(expected)
  for path, array in params.items():
    np.testing.assert_array_equal(array, expected[path], strict=True)


def test_all_architectures_of_the_fixtures_are_imported():
  assert list(LAYOUTS) == list(OPTIONS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_architecture_and_its_widths_follow_from_the_weights(name):
  imported = convert.convert(state(name))
  assert imported.architecture == name
  assert imported.options == OPTIONS[name]
  assert imported.tables is None
  assert all(
    leaf.dtype == np.float32 for leaf in arrays.flat(imported.params).values()
  )
  named = convert.convert(state(name), name)
  assert_equal(named.params, imported.params)


@pytest.mark.parametrize("form", OLD_FORMS)
def test_weights_of_older_releases_are_the_same(form):
  new = state("mbt2018-mean")
  imported = convert.convert(renamed(new, form))
  assert imported.architecture == "mbt2018-mean"
  assert_equal(imported.params, convert.convert(new).params)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, jnp.bfloat16])
def test_weights_of_other_types_are_converted(dtype):
  weights = {
    key: array.astype(dtype) if array.dtype == np.float32 else array
    for key, array in state("bmshj2018-factorized").items()
  }
  kernel = weights["g_a.0.weight"].astype(np.float32).transpose(2, 3, 1, 0)
  params = convert.convert(weights).params
  np.testing.assert_array_equal(
    arrays.flat(params)["analysis/params/conv0/kernel"], kernel
  )


@pytest.mark.parametrize("form", ["", "-legacy"])
def test_a_trainings_checkpoint_is_converted(form):
  weights = torch_files.read(FOLDER / f"training{form}.pth")
  imported = convert.convert(weights)
  assert imported.architecture == "bmshj2018-factorized"
  assert imported.options == {"width": 2, "latent": 3}


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
