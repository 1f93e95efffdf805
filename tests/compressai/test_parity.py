"""Imported models compute what CompressAI computed; see make_fixtures.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import models
from jaxlic.compressai import convert
from jaxlic.compressai.layouts import LAYOUTS
from tests.compressai import fixture_files
from tests.conftest import COMPILE_QUICKLY

# float32 sums of a few hundred terms in another order: 1e-6 was seen.
TOLERANCE = 1e-5


@functools.cache
def imported(name):
  """An imported model, its parameters, and what CompressAI computed."""
  found = convert.convert(fixture_files.state(name))
  model = models.make(found.architecture, **found.options)
  return model, jax.device_put(found.params), fixture_files.arrays(name)


def relative_error(ours, theirs):
  """The largest difference, relative to the largest value."""
  return np.abs(ours - theirs).max() / np.abs(theirs).max()


@functools.cache
def computed(name):
  """What our model computes of the image and the recorded y_hat and z_hat."""
  model, params, recorded = imported(name)
  grid = recorded["y"].shape[:2]

  def walk(params, image):
    rate = jnp.zeros(1)
    context = {"rate": rate}
    found = dict(model.analyze(params, image, rate))
    for stage in model.stages:
      key = stage.spec.name
      prediction = stage.predict(params, context, grid)
      given = jnp.asarray(recorded[key])[None]
      symbols = stage.quantizer.to_symbols(given, prediction)
      found[f"{key}_hat"] = stage.quantizer.from_symbols(symbols, prediction)
      y_hat = jnp.asarray(recorded[f"{key}_hat"])[None]
      bits = stage.density.bits(params, y_hat, prediction)
      found[f"{key}_likelihood"] = 2.0**-bits
      context = stage.absorb(params, context, y_hat, grid)
    found |= {"scales": prediction.scale, "means": prediction.mean}
    found |= {"hyper": context["hyper"]} if "hyper" in context else {}
    found["x_hat"] = model.synthesize(params, context)[:, ::3, 1::3]
    return {key: array[0] for key, array in found.items()}

  run = jax.jit(walk, compiler_options=COMPILE_QUICKLY)
  return jax.device_get(run(params, fixture_files.image()))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_recorded_quantity_is_computed_to_float32_precision(name):
  recorded = {
    key: array
    for key, array in imported(name)[2].items()
    if not key.startswith("state")
  }
  errors = {
    key: relative_error(computed(name)[key], array)
    for key, array in recorded.items()
  }
  assert {"y", "y_hat", "y_likelihood", "x_hat"} <= set(errors)
  assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("name", LAYOUTS)
def test_likelihoods_agree_in_bits(name):
  # CompressAI's are differences of float32 numbers up to 1, which err by 6e-8:
  # above 1e-3 that is 1e-4 bits.
  recorded = imported(name)[2]
  for key in {"y_likelihood", "z_likelihood"} & set(recorded):
    clear = recorded[key] > 1e-3
    assert clear.mean() > 0.5
    ours, theirs = computed(name)[key][clear], recorded[key][clear]
    np.testing.assert_allclose(np.log2(ours), np.log2(theirs), atol=1e-4)
