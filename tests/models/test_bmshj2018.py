"""The factorized prior, and hyperpriors of one prediction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.nn import gdn_networks
from jaxlic.types import Quality
from tests.models.small_models import HYPER, SMALL, picture, small


@pytest.mark.parametrize("name", HYPER)
@pytest.mark.parametrize("size", range(1, 10))
def test_z_covers_a_quarter_of_the_grid_and_predicts_all_of_it(name, size):
  model = models.make(name, **SMALL)
  z_stage, y_stage = model.stages
  grid, quality = (size, 1), Quality(jnp.zeros(2))

  def shapes():
    params = model.init(jax.random.key(0))
    image = jnp.zeros((2, 16 * size, 16, 3))
    latents = codec.analyze(model, params, image, quality)
    context = codec.begin(quality.level)
    z = z_stage.predict(params, context, grid)
    context = z_stage.absorb(params, context, latents["z"], grid)
    return latents, z, y_stage.predict(params, context, grid)

  latents, z, y = jax.eval_shape(shapes)
  assert latents["z"].shape == z.mean.shape == (2, -(-size // 4), 1, 4)
  assert latents["y"].shape == y.mean.shape == y.scale.shape == (2, size, 1, 6)


def test_relus_make_the_factorized_transforms_homogeneous():
  # Without biases, which start at 0, and without normalization, f(2x) = 2 f(x).
  model, params = small("bmshj2018-factorized-relu")
  image, quality = picture(16, 16), Quality(jnp.zeros(2))
  analyze = jax.jit(lambda x: model.analyze(params, x, quality))
  np.testing.assert_array_equal(analyze(2 * image), 2 * analyze(image))
  y = jax.random.normal(jax.random.key(2), (1, 1, 1, 6))
  synthesize = jax.jit(lambda y: model.synthesize(params, {"y": y}))
  np.testing.assert_array_equal(synthesize(2 * y), 2 * synthesize(y))
  assert jnp.abs(synthesize(-y) + synthesize(y)).max() > 1e-6


def test_the_scale_hyperprior_looks_at_magnitudes():
  module = gdn_networks.ScaleHyperAnalysis(3)
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


@pytest.mark.parametrize("name", ["bmshj2018-factorized", *HYPER])
def test_a_factorized_latent_is_rounded_around_its_median(name):
  model, params = small(name)
  stage = model.stages[0]
  density, channels = f"{stage.spec.name}_density", stage.spec.channels
  median = jnp.linspace(-0.4, 0.4, channels)
  context, grid = codec.begin(jnp.zeros(2)), (4, 8)
  without = stage.predict(params, context, grid)
  np.testing.assert_array_equal(without.mean, 0)

  def mean(median):
    shifted = params | {density: params[density] | {"median": median}}
    return stage.predict(shifted, context, grid).mean

  expected = np.broadcast_to(median, without.mean.shape)
  np.testing.assert_array_equal(mean(median), expected)
  gradient = jax.grad(lambda median: mean(median).sum())(median)
  np.testing.assert_array_equal(gradient, 0)
