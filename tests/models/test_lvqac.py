import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import companded
from jaxlic.quantize.companding import Companded
from jaxlic.types import Prediction, Quality
from tests.conftest import make_toy, slow

NAME = "lvqac-minnen2018"


def make_small(name=NAME, **options):
  """The toy, in the order that compiles faster."""
  return make_toy(name, **{"order": "checkerboard"} | options)


def picture(height, width):
  y, x = np.mgrid[:height, :width] / 9
  waves = [np.sin(a * x + b * y) for a, b in ((1, 0.3), (0.4, 1), (0.7, -0.6))]
  noise = np.random.default_rng(0).normal(scale=0.05, size=(height, width, 3))
  return np.clip(0.5 + 0.3 * np.stack(waves, -1) + noise, 0, 1).astype("f4")


@pytest.mark.parametrize(
  "options",
  [
    pytest.param(
      {"lattice": "E8", "coset": "modelled"}, marks=pytest.mark.newest
    ),
    slow({"companding": "hyper"}),
    slow({"lattice": "A2", "companding": "none", "order": "raster"}),
    slow(
      {
        "name": "gained",
        "backbone": NAME,
        "lattice": "Dn*",
        "block": 4,
        "lambdas": (0.01, 0.02),
      }
    ),
  ],
  ids=lambda options: "-".join(map(str, options.values())),
)
def test_any_lattice_and_companding_decode_as_evaluated(options):
  _, built, params, tables = make_small(**options)
  image = picture(33, 50)
  payload = built.encode(params, tables, image, 0.7)
  shown, bits = built.evaluate(params, image, 0.7)
  np.testing.assert_array_equal(built.decode(params, tables, payload), shown)
  assert len(np.unique(shown)) > 100
  # As in test_codec.py.
  assert 8 * len(payload.data) < 1.01 * sum(bits.values()) + 8 * 64


@pytest.mark.slow
def test_integers_without_companding_are_the_backbone():
  _, built, params, _ = make_small(lattice="Zn", companding="none")
  _, backbone, others, _ = make_toy("mbt2018-checkerboard")
  assert jax.tree.structure(others) == jax.tree.structure(params)
  shown = built.evaluate(params, picture(48, 64), 0.0)
  wanted = backbone.evaluate(params, picture(48, 64), 0.0)
  # Compiled apart; a symbol that is rounded otherwise would change 1e-2.
  np.testing.assert_allclose(shown.image, wanted.image, atol=1e-4)
  assert shown.bits["y"] == pytest.approx(wanted.bits["y"], rel=1e-4)


@pytest.mark.parametrize("name", [NAME, "lvqac-cheng2020"])
def test_what_is_said_of_y_is_sent_by_default(name):
  kinds = ("sent", "hyper", "none")
  stages = [
    [stage.spec.name for stage in models.make(name, **options).stages]
    for options in [{}, *({"companding": kind} for kind in kinds)]
  ]
  assert stages == 2 * [["z", "a", "y"]] + 2 * [["z", "y"]]


def test_companding_starts_mild_and_the_same_everywhere():
  model, _, params, _ = make_small(companding="hyper")
  # The head's last layer starts at 0.
  zeros = jax.tree.map(jnp.zeros_like, params["companding"])
  params = params | {"companding": zeros}

  @jax.jit
  def predict(z):
    context = model.stages[0].absorb(params, {}, z, (4, 4))
    return codec.predictor(model.stages[1], params, context, (4, 4))()

  known = predict(jax.random.normal(jax.random.key(0), (1, 1, 1, 6)))
  assert known.log_a.shape == known.log_reach.shape == (1, 4, 4, 1)
  np.testing.assert_allclose(known.log_a, 0.5, rtol=1e-6)
  np.testing.assert_allclose(known.log_reach, math.log(16), rtol=1e-6)
  initial = companded.Head(2).init(jax.random.key(0), jnp.zeros((1, 1, 1, 4)))
  last = initial["params"]["conv1"]
  assert not any(leaf.any() for leaf in jax.tree.leaves(last))


@pytest.mark.slow
def test_a_sent_parameter_has_eight_levels():
  model, _, params, _ = make_small()
  image = jnp.asarray(picture(64, 64))[None]
  level = codec.analyze(model, params, image, Quality(jnp.zeros(1)))["a"]
  assert level.shape == (1, 4, 4, 1)
  assert level.min() >= 0 and level.max() <= companded.LEVELS - 1
  # Noise may leave the range; ln A may not.
  levels = jnp.array([-0.4, 0.0, 3.5, 7.4]).reshape(1, 2, 2, 1)
  log_a = model.stages[1].absorb(params, {}, levels, (2, 2))["log_a"]
  np.testing.assert_allclose(
    log_a.ravel(), math.log(255) * np.array([0, 0, 0.5, 1]), rtol=1e-6
  )


@pytest.mark.parametrize("name", ["lvqac-minnen2018", "lvqac-cheng2020"])
def test_a_quality_sets_the_paper_s_weight_of_the_distortion(name):
  lambdas = [models.make(name, quality=q).spec.lambdas[0] for q in range(1, 7)]
  assert lambdas == [0.0016, 0.0032, 0.0075, 0.0150, 0.0300, 0.0450]


@pytest.mark.parametrize(
  ("name", "channels"), [("lvqac-minnen2018", 192), ("lvqac-cheng2020", 128)]
)
def test_a_position_takes_one_coset_bit(name, channels):
  stage = models.make(name, quality=1).stages[-1]
  assert (stage.spec.name, stage.spec.channels) == ("y", channels)
  y, zero = jnp.zeros((1, 2, 2, channels)), jnp.zeros((1, 2, 2, 1))
  known = Companded(Prediction(y, y), log_a=zero, log_reach=zero)
  symbols = jax.eval_shape(stage.quantizer.to_symbols, y, known)
  assert symbols.shape == (1, 2, 2, channels + 1)


@pytest.mark.parametrize(
  ("options", "match"),
  [
    (
      {"companding": "mu-law"},
      "one of sent, hyper, none, got 'mu-law'; correct",
    ),
    ({"lattice": "E9"}, "lattice is one of Zn, .*got 'E9'; correct"),
    ({"lattice": "E8", "block": 4}, "E8 has blocks of n = 8, got 4"),
    (
      {"block": 3},
      r"Dn\* takes 3 channels, which must divide the latent's, got 8",
    ),
    ({"lattice": "A2", "latent": 7}, "A2 takes 2 channels, .* got 7"),
    ({"block": 1}, r"Dn\* has blocks of n = 2 or more, got 1"),
    ({"coset": "free"}, "raw, modelled, got 'free'"),
    (
      {"surrogate": "universal"},
      "one of noise, mixed, softmax, got 'universal'",
    ),
    ({"quality": 7}, "from 1 to 6, got 7; correct"),
    ({"order": "spiral"}, "one of raster, checkerboard, got 'spiral'"),
  ],
)
def test_what_does_not_exist_is_refused(options, match):
  with pytest.raises(JaxlicError, match=match):
    models.make(NAME, **{"width": 6, "latent": 8} | options)
