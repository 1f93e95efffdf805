"""Imported models compute what CompressAI computed; see make_fixtures.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.codec import ordered
from jaxlic.compressai import convert
from jaxlic.compressai.layouts import LAYOUTS
from jaxlic.nn import neighbours
from jaxlic.types import Prediction
from tests.compressai import fixture_files
from tests.conftest import slow

# float32 sums of a few hundred terms in another order: 1e-6 was seen.
TOLERANCE = 1e-5
# What the others are made of.
FAST = ("bmshj2018-factorized", "mbt2018", "elic2022")


@functools.cache
def imported(name):
  """An imported model, its parameters, and what CompressAI computed."""
  source = convert.convert(fixture_files.state(name))
  model = models.make(source.architecture, **source.options)
  return model, jax.device_put(source.params), fixture_files.arrays(name)


def relative_error(ours, theirs):
  """The largest difference, relative to the largest value."""
  return np.abs(ours - theirs).max() / np.abs(theirs).max()


def by_stage(model, recorded, suffix=""):
  """Each stage's channels of the latent, z or y, that it is of."""
  latents, starts = {}, {"z": 0, "y": 0}
  for stage in model.stages:
    name, size = stage.spec.name, stage.spec.channels
    start = starts[name[0]]
    whole = jnp.asarray(recorded[name[0] + suffix])[None]
    latents[name] = whole[..., start : start + size]
    starts[name[0]] += size
  return latents


def contexts(stage, params, features, y_hat):
  """What the masked convolution of an ordered stage makes of y_hat."""
  part = stage.spec.name.replace("y", "refinement")
  masked = params.get(part, params.get("context"))["params"]["masked"]
  order = stage.order
  alone = order.groups is neighbours.checkerboard

  def refine(params, features, around, groups):
    context = neighbours.MaskedConv(2 * y_hat.shape[-1], order.taps).apply(
      {"params": masked}, around
    )
    context = neighbours.unless_first(context, groups) if alone else context
    return Prediction(context, context)

  changed = order._replace(refine=refine)
  return ordered.parallel(changed, params, features, y_hat).mean


@functools.cache
def computed(name):
  """What our model computes of the image and the recorded y_hat and z_hat."""
  model, params, recorded = imported(name)
  grid = recorded["y"].shape[:2]
  given = by_stage(model, recorded)
  given_hat = by_stage(model, recorded, "_hat")

  def compute(params, image):
    known = codec.begin(jnp.zeros(1))
    latents = codec.analyze(model, params, image, known["quality"])
    quantities = {
      "z": [latents.pop("z")] if "z" in latents else [],
      "y": [latents[key] for key in latents],
    }

    def add(key, array):
      quantities.setdefault(key, []).append(array)

    def value_of(stage, predict):
      key, latent = stage.spec.name, stage.spec.name[0]
      y_hat = given_hat[key]
      prediction = predict(y_hat)
      if stage.order:
        add("context", contexts(stage, params, predict.features, y_hat))
      else:
        symbols = stage.quantizer.to_symbols(given[key], prediction)
        rounded = stage.quantizer.from_symbols(symbols, prediction)
        add(f"{latent}_hat", rounded.value)
      bits = stage.density.bits(params, y_hat, prediction)
      add(f"{latent}_likelihood", 2.0**-bits)
      if latent == "y":
        add("scales", prediction.scale)
        add("means", prediction.mean)
      return y_hat

    known = codec.walk(model, params, known, grid, value_of)
    quantities["hyper"] = [known["hyper"]] if "hyper" in known else []
    quantities["x_hat"] = [model.synthesize(params, known)[:, ::3, 1::3]]
    return {
      key: jnp.concatenate(arrays, -1)[0]
      for key, arrays in quantities.items()
      if arrays
    }

  run = jax.jit(compute)
  return jax.device_get(run(params, fixture_files.image()))


@pytest.mark.parametrize("name", [n if n in FAST else slow(n) for n in LAYOUTS])
def test_every_recorded_quantity_is_computed_to_float32_precision(name):
  recorded = {
    key: array
    for key, array in imported(name)[2].items()
    if not key.startswith(("state", "decoded"))
  }
  if any(stage.order for stage in imported(name)[0].stages):
    del recorded["y_hat"]  # It is no rounded y there, but given.
  errors = {
    key: relative_error(computed(name)[key], array)
    for key, array in recorded.items()
  }
  assert {"y", "y_likelihood", "x_hat"} <= set(errors)
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
