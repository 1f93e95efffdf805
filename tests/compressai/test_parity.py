"""Imported models compute what CompressAI computed; see make_fixtures.py."""

import functools

import jax
import numpy as np
import pytest

from jaxlic import models
from jaxlic.compressai import convert
from jaxlic.compressai.layouts import LAYOUTS
from tests.compressai import fixture_files, parity
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


@functools.cache
def computed(name):
  """What our model computes of the fixtures' image."""
  return parity.computed(*imported(name), fixture_files.image())


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
    key: parity.relative_error(computed(name)[key], array)
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
