"""The compressive autoencoder: its analysis, and what training rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.errors import JaxlicError
from jaxlic.nn import theis_networks
from jaxlic.types import Quality
from tests.conftest import slow
from tests.models.small_theis2017 import SMALL, picture, small


@pytest.mark.parametrize("padding", theis_networks.MARGINS)
@pytest.mark.parametrize("size", [(8, 8), (8, 40), (64, 24), (72, 136)])
def test_y_is_an_eighth_of_any_size(padding, size):
  model, _, params = small(padding=padding)
  image, quality = picture(*size), Quality(jnp.zeros(1))
  y = jax.eval_shape(model.analyze, params, image, quality)
  assert y.shape == (1, size[0] // 8, size[1] // 8, 5)


@pytest.mark.parametrize("padding", [slow("mirror"), "strided"])
def test_the_analysis_is_valid_convolutions_of_the_mirrored_image(padding):
  # Its layers once more, in the terms of the paper.
  model, _, params = small(padding=padding)
  image = picture(48, 40)
  layers = params["analysis"]["params"]

  def convolve(x, layer, stride=1, padding="VALID"):
    y = jax.lax.conv_general_dilated(
      x,
      layer["kernel"],
      (stride, stride),
      padding,
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + layer["bias"][None, None, None]

  def leaky(x):
    return jnp.where(x > 0, x, 0.01 * x)

  valid = padding == "mirror"
  margin = (34, 35) if valid else (10, 11)
  mean, deviation = (
    jnp.asarray(values)[None, None, None]
    for values in (theis_networks.MEAN, theis_networks.DEVIATION)
  )
  x = (image - mean) / deviation
  x = jnp.asarray(np.pad(x, ((0, 0), margin, margin, (0, 0)), "reflect"))
  x = leaky(convolve(x, layers["conv0"], 2))
  x = convolve(x, layers["conv1"], 2)
  for k in range(3):
    block, same = layers[f"block{k}"], "VALID" if valid else "SAME"
    inner = leaky(x) if k == 0 else x
    inner = leaky(convolve(inner, block["conv0"], padding=same))
    inner = convolve(inner, block["conv1"], padding=same)
    x = (x[:, 2:-2, 2:-2] if valid else x) + inner
  expected = convolve(x, layers["conv"], 2)
  y = model.analyze(params, image, Quality(jnp.zeros(1)))
  # Sums of up to 1,000 products in another order.
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_training_rates_the_bound_and_files_the_exact_rate():
  model, _, params = small()
  stage = model.stages[0]
  known = stage.predict(params, codec.begin(jnp.zeros(1)), (4, 4))
  keys = jax.random.split(jax.random.key(0), 1)
  latent = 2 * jax.random.normal(jax.random.key(1), (1, 4, 4, 5))
  relaxed = stage.quantizer.surrogate(latent, known, keys, 1.0)
  np.testing.assert_array_equal(relaxed.value, jnp.round(latent))
  assert jnp.abs(relaxed.coded - relaxed.value).max() > 0.1
  assert stage.density.training_bits is not None
  exact = models.make("theis2017", **SMALL, rated="exact").stages[0]
  assert exact.density.training_bits is None
  relaxed = exact.quantizer.surrogate(latent, known, keys, 1.0)
  np.testing.assert_array_equal(relaxed.coded, jnp.round(latent))


@pytest.mark.parametrize(
  ("density", "rated", "surrogate"),
  [
    slow("scales", "exact", "straight"),
    ("mixture", "bound", "stochastic"),
    slow("factorized", "bound", "straight"),
  ],
)
def test_densities_and_rates_train_the_analysis(density, rated, surrogate):
  options = {"density": density, "surrogate": surrogate, "rated": rated}
  _, built, params = small(**options)
  keys = jax.random.split(jax.random.key(0), 1)

  def loss(params):
    quality = Quality(jnp.zeros(1))
    outcome = built.apply(params, picture(16, 16), quality, keys)
    return outcome.bits["y"].sum() + 1000 * (outcome.image**2).sum()

  gradient = jax.jit(jax.grad(loss))(params)
  for leaf in jax.tree.leaves(gradient):
    assert jnp.isfinite(leaf).all()
  assert jnp.abs(gradient["analysis"]["params"]["conv"]["kernel"]).max() > 0


@pytest.mark.parametrize(
  ("options", "match"),
  [
    ({"quality": 4}, "quality is a whole number from 1 to 3, got 4"),
    ({"density": "laplace"}, "density is one of scales, .* got 'laplace'"),
    ({"padding": "edge"}, "padding is one of mirror, .* got 'edge'"),
    ({"rated": "both"}, "rated is one of bound, exact, got 'both'"),
    ({"surrogate": "soft"}, "the bound needs symbols, .* got 'soft'"),
    ({"open_at_first": -1}, "open_at_first is a whole number from 0, got -1"),
    ({"open_at_first": 6}, "of 5 channels .* opens 1..5, .* mask, got 6"),
    ({"lambdas": (0.1,)}, "a scaled model has 2 levels or more"),
    ({"lambdas": (0.1, 0.05)}, "of ascending lambdas above 0, got"),
    ({"components": 0}, "components is a whole number from 1, got 0"),
  ],
)
def test_wrong_options_are_refused(options, match):
  with pytest.raises(JaxlicError, match=match):
    models.make("theis2017", **SMALL | options)
