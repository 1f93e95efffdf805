"""The registry of models, their sizes, and what they code."""

import math

import jax
import jax.numpy as jnp
import pytest

from jaxlic import codec, models
from jaxlic.errors import JaxlicError
from jaxlic.types import Quality
from tests.conftest import slow
from tests.models.small_models import picture, small

# (options, parameters) by model. Those of bmshj2018 and mbt2018 are the sums
# over `parameters()` of CompressAI 1.2.8's FactorizedPrior,
# FactorizedPriorReLU, ScaleHyperprior, MeanScaleHyperprior,
# JointAutoregressiveHierarchicalPriors, Cheng2020Anchor, Cheng2020Attention,
# Cheng2020AnchorCheckerboard and Elic2022Official at the widths of its zoo,
# without the entropy bottleneck's `quantiles`; those of lapped, cui2021 and
# scgain are their own, ms2020's is summed by hand in test_ms2020.py, and
# mbt2018-checkerboard's is mbt2018's.


def count_of_balle2017(width, colours=3, normalizations=6):
  """Kernels of 9x9 twice and of 5x5 four times, their biases but for the last
  of the analysis, normalizations, and 58 numbers of every channel's density."""
  kernels = 2 * 81 * colours * width + 4 * 25 * width**2
  biases = 4 * width + colours
  return kernels + biases + normalizations * (width**2 + width) + 58 * width


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
  # Minnen's and Cheng's, and heads of 3x3 convolutions: of the hyper synthesis,
  # 9 x 384 x 32 + 32, to one number or two, 9 x 32 + 1 each; if A is sent, of
  # y, 9 x 192 x 32 + 32 to one number, and the density of its channel, 58.
  # Without companding theirs.
  "lvqac-minnen2018": [
    ({"quality": 3}, 14_129_891 + 110_624 + 289 + 55_328 + 289 + 58),
    ({"companding": "none"}, 14_129_891),
    ({"companding": "hyper"}, 14_129_891 + 110_624 + 578),
    ({"quality": 6}, 25_504_020 + 184_352 + 289 + 92_192 + 289 + 58),
  ],
  "lvqac-cheng2020": [
    ({"quality": 6}, 26_598_380 + 110_624 + 289 + 55_328 + 289 + 58),
    ({"companding": "none"}, 11_832_765),
    ({"quality": 6, "companding": "hyper"}, 26_598_380 + 110_624 + 578),
  ],
  "balle2017": [
    ({}, count_of_balle2017(192)),
    ({"quality": 8}, count_of_balle2017(192)),
    (
      {"normalize_latent": False, "width": 128},
      count_of_balle2017(128, normalizations=4),
    ),
    ({"grey": True}, count_of_balle2017(128, colours=1)),
    ({"grey": True, "quality": 6}, count_of_balle2017(128, colours=1)),
    ({"grey": True, "quality": 7}, count_of_balle2017(256, colours=1)),
    ({"grey": True, "quality": 8}, count_of_balle2017(256, colours=1)),
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


def grid_of(model, image):
  return tuple(side // model.spec.stride for side in image.shape[1:3])


def quantized_walk(model, params, image):
  """The image, and each stage's (symbols, rows), as a decoder has them."""
  grid, quality = grid_of(model, image), Quality(jnp.zeros(len(image)))
  latents = codec.analyze(model, params, image, quality)
  coded = {}

  def value_of(stage, predict):
    known, name = predict(), stage.spec.name
    symbols = stage.quantizer.to_symbols(latents[name], known)
    coded[name] = symbols, stage.density.rows(known)
    return stage.quantizer.from_symbols(symbols, known).value

  context = codec.begin(quality.level)
  context = codec.walk(model, params, context, grid, value_of)
  return model.synthesize(params, context), coded


def test_no_model_is_absent_from_the_table():
  assert set(COUNTS) == set(models.MODELS)
  assert next(iter(models.MODELS)) == "lapped"


@pytest.mark.parametrize(
  ("name", "options", "count"),
  [
    slow(name, *row) if i else (name, *row)
    for name, rows in COUNTS.items()
    for i, row in enumerate(rows)
  ],
)
def test_parameter_counts_are_the_published_ones(name, options, count):
  model = models.make(name, **options)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)]
  assert sum(sizes) == count


@pytest.mark.parametrize(
  "name",
  [
    slow("bmshj2018-factorized"),
    slow("bmshj2018-factorized-relu"),
    "bmshj2018-hyperprior",
    slow("mbt2018-mean"),
    slow("mbt2018"),
    "ms2020",
  ],
)
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


def test_an_unknown_model_is_refused():
  with pytest.raises(
    JaxlicError, match="one of lapped, bmshj2018-factorized, .*got 'jpeg'"
  ):
    models.make("jpeg")
