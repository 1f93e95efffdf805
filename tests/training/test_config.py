"""The rules of a configuration, and that flags have its fields."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

from configs import default
from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes, rules
from jaxlic.training.config import (
  Config,
  Data,
  Loss,
  Model,
  Optimizer,
  check,
  to_json,
)
from jaxlic.types import Quality
from tests.conftest import make_params

NAME = "bmshj2018-factorized"
SMALL = {"width": 6, "latent": 8}


@pytest.fixture(scope="module")
def model():
  return models.make(NAME, **SMALL)


def test_flags_begin_at_the_defaults():
  fields = dataclasses.asdict(Config(model=Model("")))
  del fields["model"]
  assert default.get_config().to_dict() == fields


def test_a_configuration_is_the_same_file_as_its_flags():
  config = recipes.zoo(recipes.published(NAME))
  assert to_json(config) == to_json(default.flags(config))


def test_constants_of_a_normalization_are_fields_of_flags():
  image = jax.random.uniform(jax.random.key(1), (1, 16, 16, 3))

  def latent(norm):
    config = default.flags(Config(model=Model(NAME, SMALL | {"norm": norm})))
    check(config, built := models.make(NAME, **config.model.options), devices=1)
    assert json.loads(to_json(config))["model"]["options"]["norm"] == norm
    return built.analyze(make_params(built), image, Quality(jnp.zeros(1)))

  # Stored roots of 1 are used as 2 where no beta is below 2^2.
  known = latent("sqrt"), latent({"preset": "sqrt", "beta_min": 4.0})
  assert jnp.abs(known[0]).max() > 1.2 * jnp.abs(known[1]).max()


def test_an_option_of_none_takes_a_whole_number():
  options = default.flags(recipes.zoo(recipes.published(NAME))).model.options
  assert options.width is None
  options.width = 7
  with pytest.raises(TypeError):
    options.width = "wide"


def test_a_field_that_is_none_is_an_error():
  config = Config(model=Model(NAME))
  with pytest.raises(AttributeError):
    config.optimizer.stepz = 3
  with pytest.raises(TypeError, match="optimizr"):
    Config(optimizr=Optimizer(), model=Model(NAME))


def test_the_defaults_fit_a_model(model):
  check(Config(model=Model(NAME)), model, devices=2)


@pytest.mark.parametrize(
  ("fields", "match"),
  [
    ({"log_every": 0}, "^log_every is positive, got 0; correct it$"),
    ({"data": Data(batch=3)}, "^data.batch is a multiple of the devices"),
    ({"data": Data(smallest_scale=2.0)}, "above 0, and 1 at most, got 2.0"),
    (
      {"optimizer": Optimizer(name="sgd")},
      "^optimizer.name is one of adam, adamw, muon, soap, got 'sgd'; choose",
    ),
    ({"optimizer": Optimizer(momentum=1.0)}, "0 to 1, without 1, got 1.0"),
    ({"loss": Loss(distortion="psnr")}, "distortion is one of mse, ms-ssim"),
  ],
)
def test_a_broken_rule_names_its_field(model, fields, match):
  config = Config(**fields, model=Model(NAME))
  with pytest.raises(JaxlicError, match=match):
    check(config, model, devices=2)


def test_rules_within_sections_are_found():
  with pytest.raises(JaxlicError, match="^a.crop is positive, got -1"):
    rules.check_fields(Data, Data(crop=-1), "a.")


@pytest.mark.parametrize(
  ("rule", "kept", "broken"),
  [
    (rules.positive, 1, 0),
    (rules.not_negative, 0, -1),
    (rules.share, 1.0, 0.0),
    (rules.decay, 0.0, 1.0),
    (rules.one_of("a", "b"), "b", "c"),
    (rules.multiple_of(4, "four"), 8, 0),
    (rules.at_least(4, "for all"), 4, 3),
  ],
)
def test_rules_hold_for_what_they_say(rule, kept, broken):
  rules.check("x", kept, rule)
  with pytest.raises(JaxlicError, match=f"^x is {rule.words}, got"):
    rules.check("x", broken, rule)
