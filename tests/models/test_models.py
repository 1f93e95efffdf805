import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.codec import ordered
from jaxlic.errors import JaxlicError
from jaxlic.models import bmshj2018, mbt2018
from jaxlic.quantize.surrogates import SURROGATES
from tests.conftest import make_params

# (options, parameters) by model. Those of bmshj2018 and mbt2018 are the sums
# over `parameters()` of CompressAI 1.2.8's FactorizedPrior,
# FactorizedPriorReLU, ScaleHyperprior, MeanScaleHyperprior,
# JointAutoregressiveHierarchicalPriors, Cheng2020Anchor, Cheng2020Attention,
# Cheng2020AnchorCheckerboard and Elic2022Official at the widths of its zoo,
# without the entropy bottleneck's `quantiles`; those of lapped, cui2021 and
# scgain are their own, ms2020's is summed by hand in test_ms2020.py, and
# mbt2018-checkerboard's is mbt2018's.
COUNTS = {
  "lapped": [({}, 4_192_128)],
  "bmshj2018-factorized": [
    ({"quality": 1}, 2_997_571),
    ({"quality": 5}, 2_997_571),
    ({"quality": 6}, 7_029_571),
    ({"quality": 8}, 7_029_571),
  ],
  "bmshj2018-factorized-relu": [
    ({"quality": 1}, 2_898_499),
    ({"quality": 5}, 2_898_499),
    ({"quality": 6}, 6_807_235),
    ({"quality": 8}, 6_807_235),
  ],
  "bmshj2018-hyperprior": [
    ({"quality": 1}, 5_075_459),
    ({"quality": 5}, 5_075_459),
    ({"quality": 6}, 11_815_747),
    ({"quality": 8}, 11_815_747),
  ],
  "mbt2018-mean": [
    ({"quality": 1}, 7_027_619),
    ({"quality": 4}, 7_027_619),
    ({"quality": 5}, 17_561_123),
    ({"quality": 8}, 17_561_123),
  ],
  "mbt2018": [
    ({"quality": 4}, 14_129_891),
    ({"quality": 5}, 25_504_020),
  ],
  "mbt2018-checkerboard": [({"quality": 4}, 14_129_891)],
  "cheng2020-anchor": [
    ({"quality": 3}, 11_832_765),
    ({"quality": 4}, 26_598_380),
  ],
  "cheng2020-attn": [
    ({"quality": 3}, 13_182_909),
    ({"quality": 4}, 29_631_212),
  ],
  "cheng2020-anchor-checkerboard": [
    ({"quality": 1}, 11_832_765),
    ({"quality": 6}, 26_598_380),
  ],
  "elic2022": [({}, 32_073_624)],
  # Minnen's and Cheng's, and a head of 3x3 convolutions: 9 x 384 x 32 + 32 and
  # 9 x 32 x 2 + 2; without it theirs.
  "lvqac-minnen2018": [
    ({"companding": "none"}, 14_129_891),
    ({"quality": 3}, 14_129_891 + 110_624 + 578),
    ({"quality": 6}, 25_504_020 + 184_352 + 578),
  ],
  "lvqac-cheng2020": [
    ({"companding": "none"}, 11_832_765),
    ({"quality": 6}, 26_598_380 + 110_624 + 578),
  ],
  "ms2020": [({"quality": 1}, 113_987_459), ({"quality": 8}, 113_987_459)],
  # The backbones' and 2 x 8 x (192 + 128), 2 x 8 x 192 and 2 x 8 x 384.
  "gained": [
    ({}, 7_027_619 + 5_120),
    ({"backbone": "bmshj2018-factorized"}, 2_997_571 + 3_072),
    ({"backbone": "mbt2018", "quality": 4}, 14_129_891 + 6_144),
  ],
  "cui2021": [({}, 27_125_292)],
  "scgain": [({}, 13_300_125)],
  # Summed by hand in test_theis2017.py; densities of 6 and 2 Gaussians.
  "theis2017": [
    ({}, 3_033_068 + 96 * 12),
    ({"quality": 1}, 2_783_180 + 64 * 12),
    ({"open_at_first": 2}, 3_033_068 + 96 * 12 + 96),
  ],
  "theis2017-mixture": [({}, 3_033_068 + 96 * 6)],
  "theis2017-scaled": [({}, 3_033_068 + 96 * 12 + 3 * 96)],
}
SMALL = {"width": 4, "latent": 6}
OTHERS = {
  "ms2020": SMALL
  | {"slices": 3, "hyper_widths": (4, 5, 6), "slice_widths": (6, 5)},
  "cheng2020-anchor": {"width": 4},
  "cheng2020-attn": {"width": 4},
  "cheng2020-anchor-checkerboard": {"width": 4},
  "elic2022": SMALL | {"groups": (1, 2), "context_widths": (4, 4)},
}
# Those of CompressAI's qualities; the others have tests of their own.
PUBLISHED = [
  n for n in models.BACKBONES if not n.startswith(("lvqac", "theis2017"))
]
CHENG = [name for name in PUBLISHED if name.startswith("cheng2020")]
NORMALIZED = [
  "bmshj2018-factorized",
  "bmshj2018-hyperprior",
  "mbt2018-mean",
  "mbt2018",
  "ms2020",
]
HYPER = ["bmshj2018-hyperprior", "mbt2018-mean"]
# Of the others: "noise".
DEFAULT_SURROGATES = {"ms2020": "mixed", "elic2022": "mixed"}


def small_options(name):
  return OTHERS.get(name, SMALL)


@functools.cache
def small(name):
  model = models.make(name, **small_options(name))
  return model, make_params(model, noise=0.0)


def picture(height, width, batch=2):
  return jax.random.uniform(jax.random.key(1), (batch, height, width, 3))


def grid_of(model, image):
  return tuple(side // model.spec.stride for side in image.shape[1:3])


def quantized_walk(model, params, image):
  """The image, and each stage's (symbols, rows), as a decoder has them."""
  grid, rate = grid_of(model, image), jnp.zeros(len(image))
  latents = codec.analyze(model, params, image, rate)
  context, coded = {"rate": rate}, {}
  for stage in model.stages:
    prediction = ordered.predict(stage, params, context, grid)
    latent = latents[stage.spec.name]
    symbols = stage.quantizer.to_symbols(latent, prediction)
    coded[stage.spec.name] = symbols, stage.density.rows(prediction)
    y_hat = stage.quantizer.from_symbols(symbols, prediction)
    context = stage.absorb(params, context, y_hat, grid)
  return model.synthesize(params, context), coded


def test_no_model_is_absent_from_the_table():
  assert set(COUNTS) == set(models.MODELS)
  assert next(iter(models.MODELS)) == "lapped"


@pytest.mark.parametrize(
  ("name", "options", "count"),
  [(name, *row) for name, rows in COUNTS.items() for row in rows],
)
def test_parameter_counts_are_the_published_ones(name, options, count):
  model = models.make(name, **options)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)]
  assert sum(sizes) == count


@pytest.mark.parametrize("name", [*NORMALIZED, "bmshj2018-factorized-relu"])
def test_a_random_model_codes_any_size(name):
  model, params = small(name)
  # A grid of 5 x 3: no multiple of the hyper latent's 4.
  image = picture(80, 48)
  walk = jax.jit(lambda params: quantized_walk(model, params, image))
  decoded, coded = walk(params)
  assert decoded.shape == image.shape
  assert jnp.isfinite(decoded).all()
  for stage in model.stages:
    symbols, rows = coded[stage.spec.name]
    tables = stage.density.freeze(params)
    assert symbols.shape == rows.shape
    assert symbols.shape[-1] == stage.spec.channels
    assert symbols.shape[1] == -(-80 // stage.spec.stride)
    assert symbols.shape[2] == -(-48 // stage.spec.stride)
    assert rows.min() >= 0 and rows.max() < len(tables.sizes)
    # Random weights of unit gain do not blow a picture up.
    assert jnp.abs(symbols).max() < 1000


@pytest.mark.parametrize("name", HYPER)
@pytest.mark.parametrize("size", range(1, 10))
def test_z_covers_a_quarter_of_the_grid_and_predicts_all_of_it(name, size):
  model = models.make(name, **SMALL)
  z_stage, y_stage = model.stages
  grid, rate = (size, 1), jnp.zeros(2)

  def shapes():
    params = model.init(jax.random.key(0))
    image = jnp.zeros((2, 16 * size, 16, 3))
    latents = codec.analyze(model, params, image, rate)
    context = {"rate": rate}
    z = z_stage.predict(params, context, grid)
    context = z_stage.absorb(params, context, latents["z"], grid)
    return latents, z, y_stage.predict(params, context, grid)

  latents, z, y = jax.eval_shape(shapes)
  assert latents["z"].shape == z.mean.shape == (2, -(-size // 4), 1, 4)
  assert latents["y"].shape == y.mean.shape == y.scale.shape == (2, size, 1, 6)


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - set(CHENG)))
def test_a_quality_sets_the_weight_of_the_distortion(name):
  # CompressAI's table of lambdas, for MSE and for MS-SSIM.
  specs = [models.make(name, quality=q).spec for q in range(1, 9)]
  for q, (mse, ms_ssim) in {
    1: (0.0018, 2.40),
    4: (0.0130, 16.64),
    8: (0.1800, 220.00),
  }.items():
    assert specs[q - 1].lambdas == (mse,)
    assert specs[q - 1].ms_ssim_lambdas == (ms_ssim,)
  spec = models.make(name).spec
  assert (spec.name, spec.stride, spec.levels) == (name, 16, 0)
  assert spec.lambdas == (0.0130,)


@pytest.mark.parametrize("name", NORMALIZED)
def test_the_form_of_normalization_is_the_caller_s(name):
  image = picture(16, 16)

  def latent(norm):
    model = models.make(name, norm=norm, **small_options(name))
    params = small(name)[1]
    return jax.jit(lambda x: model.analyze(params, x, jnp.zeros(2)))(image)

  assert jnp.abs(latent("sqrt") - latent("square")).max() > 1e-6


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_surrogate_is_the_paper_s_or_the_caller_s(name):
  def chosen(**options):
    stages = models.make(name, **options).stages
    return [stage.quantizer.surrogate for stage in stages]

  default = DEFAULT_SURROGATES.get(name, "noise")
  assert set(chosen()) == {SURROGATES[default]}
  for surrogate, function in SURROGATES.items():
    assert set(chosen(surrogate=surrogate)) == {function}
  with pytest.raises(JaxlicError, match="a surrogate is one of .*got 'hard'"):
    models.make(name, surrogate="hard")


def test_relus_make_the_factorized_transforms_homogeneous():
  # Without biases, which start at 0, and without normalization, f(2x) = 2 f(x).
  model, params = small("bmshj2018-factorized-relu")
  image = picture(16, 16)
  analyze = jax.jit(lambda x: model.analyze(params, x, jnp.zeros(2)))
  np.testing.assert_array_equal(analyze(2 * image), 2 * analyze(image))
  y = jax.random.normal(jax.random.key(2), (1, 1, 1, 6))
  synthesize = jax.jit(lambda y: model.synthesize(params, {"y": y}))
  np.testing.assert_array_equal(synthesize(2 * y), 2 * synthesize(y))
  assert jnp.abs(synthesize(-y) + synthesize(y)).max() > 1e-6


def test_the_scale_hyperprior_looks_at_magnitudes():
  module = bmshj2018.HyperAnalysis(3)
  y = jax.random.normal(jax.random.key(0), (1, 4, 4, 6))
  init = jax.jit(module.init_with_output)
  z, params = init(jax.random.key(1), y)
  # Compiled apart: sums of up to 100 products, perhaps in another order.
  np.testing.assert_allclose(module.apply(params, -y), z, atol=1e-6)


def test_the_scale_hyperprior_predicts_no_mean_and_no_negative_scale():
  model, params = small("bmshj2018-hyperprior")
  z = 5 * jax.random.normal(jax.random.key(0), (2, 1, 1, 4))
  context = model.stages[0].absorb(params, {}, z, (4, 4))
  prediction = model.stages[1].predict(params, context, (4, 4))
  np.testing.assert_array_equal(prediction.mean, 0)
  assert prediction.scale.min() == 0 and prediction.scale.max() > 0


def test_the_mean_scale_hyperprior_puts_scales_first():
  # The chunk order of CompressAI's MeanScaleHyperprior.
  model, params = small("mbt2018-mean")
  # A copy, for other tests share these parameters.
  params = jax.tree.map(jnp.zeros_like, params["hyper_synthesis"])
  params["params"]["conv2"]["bias"] = jnp.array([0.25] * 6 + [-2.0] * 6)
  params = {"hyper_synthesis": params}
  context = model.stages[0].absorb(params, {}, jnp.ones((1, 1, 1, 4)), (2, 3))
  prediction = model.stages[1].predict(params, context, (2, 3))
  np.testing.assert_array_equal(prediction.scale, np.full((1, 2, 3, 6), 0.25))
  np.testing.assert_array_equal(prediction.mean, np.full((1, 2, 3, 6), -2.0))
  symbols = jnp.ones((1, 2, 3, 6), jnp.int32)
  y_hat = model.stages[1].quantizer.from_symbols(symbols, prediction)
  np.testing.assert_array_equal(y_hat, -1.0)


def test_the_mean_scale_hyper_synthesis_has_the_published_widths():
  # M, 3M/2 and 2M channels.
  module = mbt2018.HyperSynthesis(6)
  z = jnp.zeros((1, 1, 1, 4))
  params = jax.eval_shape(
    lambda: module.init(jax.random.key(0), z, (4, 4))["params"]
  )
  widths = [params[f"conv{k}"]["bias"].shape[0] for k in range(3)]
  assert widths == [6, 9, 12]


@pytest.mark.parametrize("name", CHENG)
def test_a_quality_of_cheng_2020_sets_the_weight_of_the_distortion(name):
  # CompressAI's table of lambdas; 128 channels to quality 3, then 192.
  spec = models.make(name, quality=6).spec
  assert (spec.name, spec.stride, spec.levels) == (name, 16, 0)
  assert (spec.lambdas, spec.ms_ssim_lambdas) == ((0.0483,), (60.50,))
  assert models.make(name).spec.lambdas == (0.0067,)


@pytest.mark.parametrize("name", ["bmshj2018-factorized", *HYPER])
def test_a_factorized_latent_is_rounded_around_its_median(name):
  model, params = small(name)
  stage = model.stages[0]
  density, channels = f"{stage.spec.name}_density", stage.spec.channels
  median = jnp.linspace(-0.4, 0.4, channels)
  context, grid = {"rate": jnp.zeros(2)}, (4, 8)
  without = stage.predict(params, context, grid)
  np.testing.assert_array_equal(without.mean, 0)

  def mean(median):
    shifted = params | {density: params[density] | {"median": median}}
    return stage.predict(shifted, context, grid).mean

  expected = np.broadcast_to(median, without.mean.shape)
  np.testing.assert_array_equal(mean(median), expected)
  gradient = jax.grad(lambda median: mean(median).sum())(median)
  np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("quality", [0, 9, -1])
def test_an_unpublished_quality_is_refused(name, quality):
  best = 6 if name in CHENG else 8
  rule = rf"in 1..{best}, got {quality}; choose"
  with pytest.raises(JaxlicError, match=rule):
    models.make(name, quality=quality)


def test_an_unknown_model_is_refused():
  with pytest.raises(
    JaxlicError, match="one of lapped, bmshj2018-factorized, .*got 'jpeg'"
  ):
    models.make("jpeg")
