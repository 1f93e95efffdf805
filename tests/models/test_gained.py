import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import default
from jaxlic import codec, files, models, training, zoo
from jaxlic.errors import JaxlicError
from jaxlic.models.parts import gain_units
from jaxlic.types import Quality
from tests.conftest import TOY_OPTIONS, make_params, make_toy, slow

LAMBDAS = (0.002, 0.01, 0.05)


@functools.cache
def pair(backbone, hyper_input="gained"):
  """(the backbone, the gained model, its parameters)."""
  options = TOY_OPTIONS[backbone]
  model = models.make(
    "gained",
    backbone=backbone,
    lambdas=LAMBDAS,
    hyper_input=hyper_input,
    **options,
  )
  params = make_params(model)
  random = np.random.default_rng(2)
  for name in [name for name in params if name.endswith("gain")]:
    shape = params[name].shape
    params[name] = jnp.asarray(random.normal(size=shape), jnp.float32)
  return models.make(backbone, **options), model, params


def latent(params, seed=0):
  channels = params["log_gain"].shape[1]
  return 5 * jax.random.normal(jax.random.key(seed), (2, 4, 4, channels))


def factor(params, name):
  """Gains by hand: geometric between the two levels around LEVEL."""
  rows = []
  for r in np.asarray(LEVEL):
    s = min(int(r), len(LAMBDAS) - 2)
    low, high = np.exp(params[f"log_{name}"][s : s + 2])
    rows.append(low ** (1 - (r - s)) * high ** (r - s))
  return jnp.asarray(np.array(rows)[:, None, None])


LEVEL = jnp.array([0.25, 1.5])
QUALITY = Quality(LEVEL)


@pytest.mark.parametrize(
  "backbone",
  [
    name
    if name in ("bmshj2018-factorized", "mbt2018", "elic2022")
    else slow(name)
    for name in sorted(models.BACKBONES)
  ],
)
def test_what_is_coded_is_the_backbone_s_of_gained_latents(backbone):
  base, model, params = pair(backbone)
  y = latent(params)
  latents = model.latents(params, y, QUALITY)
  wanted = base.latents(params, y * factor(params, "gain"), QUALITY)
  if "z" in wanted:
    wanted["z"] *= factor(params, "hyper_gain")
  assert set(latents) == set(wanted)
  for name, expected in wanted.items():
    # Exponentials of interpolated logarithms against products of powers.
    np.testing.assert_allclose(latents[name], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backbone", ["mbt2018-mean", "elic2022"])
def test_the_hyper_analysis_sees_ungained_latents_if_told_so(backbone):
  base, model, params = pair(backbone, "ungained")
  y = latent(params)
  latents = model.latents(params, y, QUALITY)
  other = pair(backbone)[1].latents(params, y, QUALITY)
  wanted = base.latents(params, y, QUALITY)["z"]
  wanted *= factor(params, "hyper_gain")
  np.testing.assert_allclose(latents["z"], wanted, rtol=1e-4, atol=1e-4)
  assert jnp.abs(other.pop("z") - latents.pop("z")).max() > 0.01
  for name, coded in latents.items():
    np.testing.assert_array_equal(coded, other[name])


@pytest.mark.parametrize("backbone", ["bmshj2018-factorized", slow("elic2022")])
def test_the_synthesis_sees_latents_with_inverse_gains(backbone):
  base, model, params = pair(backbone)
  y_hat = latent(params)
  context = codec.begin(LEVEL)
  image = model.synthesize(params, context | {"y": y_hat})
  inverse = factor(params, "inverse_gain")
  wanted = base.synthesize(params, context | {"y": y_hat * inverse})
  np.testing.assert_allclose(image, wanted, rtol=1e-3, atol=1e-4)


def test_the_hyper_synthesis_sees_z_with_inverse_gains():
  base, model, params = pair("mbt2018-mean")
  z_hat = jax.random.normal(jax.random.key(3), (2, 1, 1, 6))
  context = codec.begin(LEVEL)
  hyper = model.stages[0].absorb(params, context, z_hat, (4, 4))["hyper"]
  inverse = factor(params, "inverse_hyper_gain")
  wanted = base.stages[0].absorb(params, context, z_hat * inverse, (4, 4))
  np.testing.assert_allclose(hyper, wanted["hyper"], rtol=1e-3, atol=1e-4)


def test_gains_start_as_the_roots_of_the_weights():
  params = gain_units.init_units("gain", LAMBDAS, 5)
  gain = np.exp(params["log_gain"][:, 4])
  np.testing.assert_allclose(gain[2] / gain[0], 25**0.5, rtol=1e-5)
  np.testing.assert_allclose(gain.prod(), 1.0, rtol=1e-5)
  np.testing.assert_array_equal(params["log_inverse_gain"], -params["log_gain"])


def with_gains(params, rows):
  """The parameters with other gains: `rows` makes each matrix of its own."""
  names = [name for name in params if name.startswith("log_")]
  return params | {name: rows(name, params[name]) for name in names}


def random_rows(name, matrix):
  """Gains that grow with the level, and differ between channels."""
  random = np.random.default_rng(len(name))
  start = np.linspace(-1, 1, len(matrix))[:, None]
  sign = -1 if "inverse" in name else 1
  noise = random.normal(scale=0.2, size=matrix.shape)
  return jnp.asarray(sign * (start + noise), jnp.float32)


@pytest.mark.parametrize("level", [0, 1, 3, 7])
def test_a_whole_quality_has_the_level_s_gains_to_the_last_bit(level):
  _, built, params, tables = make_toy("gained")
  params = with_gains(params, random_rows)
  alone = with_gains(
    params, lambda _, matrix: jnp.tile(matrix[level], (len(matrix), 1))
  )
  image, quality = picture(48, 40), float(level)
  payload = built.encode(params, tables, image, quality)
  # Of equal rows, every quality has the gains of this one.
  other = built.encode(alone, tables, image, quality)
  assert payload == other
  shown = built.decode(params, tables, payload)
  np.testing.assert_array_equal(shown, built.decode(alone, tables, other))


@pytest.mark.parametrize(
  ("name", "count"),
  [
    pytest.param("gained", 50, marks=pytest.mark.newest),
    slow("cui2021", 5),
  ],
)
def test_files_of_random_qualities_show_what_was_evaluated(
  name, count, tmp_path
):
  exported = zoo.export(
    tmp_path,
    name="toy",
    architecture=name,
    options=TOY_OPTIONS[name],
    params=with_gains(make_toy(name)[2], random_rows),
  )
  pixels = np.uint8(255 * picture(48, 40))
  top, estimates = exported.spec.max_quality, set()
  for quality in np.random.default_rng(1).uniform(0, top, count):
    data = files.compress(pixels, quality=quality, model=exported)
    shown = files.decompress(data, model=exported)
    outcome = exported.codec.evaluate(
      exported.params, pixels / np.float32(255), quality
    )
    wanted = np.rint(np.asarray(outcome.image) * np.float32(255))
    np.testing.assert_array_equal(shown, wanted)
    estimates.add(sum(outcome.bits.values()))
  # The estimate is that of the quality between levels, not of one of them.
  assert len(estimates) == count


def picture(height, width):
  """Waves and a little noise."""
  rows, columns = np.mgrid[:height, :width] / 15
  waves = [0.5 + 0.4 * np.sin(k * rows + columns) for k in (1, 2, 3)]
  noise = np.random.default_rng(0).normal(scale=0.02, size=(height, width, 3))
  return np.clip(np.stack(waves, -1) + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"backbone": "lapped"}, "a backbone is one of .* got 'lapped'"),
    ({"lambdas": (0.1,)}, "has 2 levels or more, of ascending lambdas"),
    ({"lambdas": (0.1, 0.05)}, "ascending lambdas above 0, got"),
    ({"lambdas": (0.0, 0.05)}, "ascending lambdas above 0, got"),
    (
      {"hyper_input": "both"},
      "hyper_input is one of gained, ungained, got 'both'",
    ),
    ({"nosuch": 1}, "gained with mbt2018-mean takes the options"),
  ],
)
def test_options_that_mean_nothing_are_refused(options, match):
  with pytest.raises(JaxlicError, match=match):
    models.make("gained", **options)


def test_published_weights_ascend_from_the_lowest_rate():
  # GainedVAE counts its eight from the highest rate; the paper has six.
  spec = models.make("gained", **TOY_OPTIONS["mbt2018-mean"]).spec
  assert (spec.levels, spec.lambdas[0], spec.lambdas[-1]) == (8, 0.0003, 0.05)
  spec = models.make("cui2021", width=6).spec
  assert spec.lambdas == (0.0003, 0.001, 0.003, 0.007, 0.03, 0.05)
  ratio = np.array([0.0006, 0.001, 0.003, 0.007, 0.03, 0.07])
  np.testing.assert_allclose(np.array(spec.ms_ssim_lambdas) / ratio, 1000)


def test_the_paper_s_model_has_weights_for_ms_ssim():
  config = default.get_config().loss
  config.distortion = "ms-ssim"
  weights = training.weights(models.make("cui2021", width=6).spec, config)
  assert len(weights) == 6 and weights[-1] == 70


def test_eight_levels_need_weights_for_ms_ssim():
  config = default.get_config().loss
  config.distortion = "ms-ssim"
  spec = models.make("gained", **TOY_OPTIONS["mbt2018-mean"]).spec
  with pytest.raises(JaxlicError, match="needs 8 weights .* loss.lambdas"):
    training.weights(spec, config)
