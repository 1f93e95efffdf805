"""What is published of a quality, and what the caller may choose instead."""

import jax
import jax.numpy as jnp
import pytest

from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.quantize.surrogates import SURROGATES
from jaxlic.types import Quality
from tests.models.small_models import (
  CHENG,
  NORMALIZED,
  PUBLISHED,
  picture,
  small,
  small_options,
)

# Of the others: "noise".
DEFAULT_SURROGATES = {"ms2020": "mixed", "elic2022": "mixed"}


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
  image, quality = picture(16, 16), Quality(jnp.zeros(2))

  def latent(norm):
    model = models.make(name, norm=norm, **small_options(name))
    params = small(name)[1]
    return jax.jit(lambda x: model.analyze(params, x, quality))(image)

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
  with pytest.raises(JaxlicError, match="surrogate is one of .*got 'hard'"):
    models.make(name, surrogate="hard")


@pytest.mark.parametrize("name", CHENG)
def test_a_quality_of_cheng_2020_sets_the_weight_of_the_distortion(name):
  # CompressAI's table of lambdas; 128 channels to quality 3, then 192.
  spec = models.make(name, quality=6).spec
  assert (spec.name, spec.stride, spec.levels) == (name, 16, 0)
  assert (spec.lambdas, spec.ms_ssim_lambdas) == ((0.0483,), (60.50,))
  assert models.make(name).spec.lambdas == (0.0067,)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("quality", [0, 9, -1])
def test_an_unpublished_quality_is_refused(name, quality):
  best = 6 if name in CHENG else 8
  rule = f"quality is a whole number from 1 to {best}, got {quality}; correct"
  with pytest.raises(JaxlicError, match=rule):
    models.make(name, quality=quality)
