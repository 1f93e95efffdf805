"""Beginning with the weights of another training."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import models, training
from jaxlic.errors import JaxlicError
from jaxlic.training import warm_start
from jaxlic.training.config import Config, Model
from jaxlic.types import ModelSpec
from tests.conftest import TOY_OPTIONS, make_params

# The model that compiles fastest.
NAME = "bmshj2018-factorized"
SPEC = ModelSpec("m", 16, rests=("median",))
MODEL = models.make(NAME, **TOY_OPTIONS[NAME])
PARAMS = make_params(MODEL)
OPTIMIZER = training.make_optimizer(Config(model=Model(NAME)).optimizer, SPEC)


@pytest.fixture(scope="module")
def start():
  config = Config(model=Model(NAME))
  model = MODEL._replace(init=lambda key: PARAMS)
  return training.init_state(model, OPTIMIZER, config)


def assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_run_can_begin_with_given_weights(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  state = training.begin_with(start, params, OPTIMIZER, SPEC)
  assert_equal(state.params, params)
  assert_equal(state.average, params)
  assert_equal(state.optimizer, start.optimizer)
  with pytest.raises(JaxlicError, match="not of this model"):
    training.begin_with(start, {"analysis": np.zeros(3)}, OPTIMIZER, SPEC)


def test_what_is_added_to_a_trained_model_starts_afresh(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  del params["y_density"]
  assert training.added(start, params) == ["y_density"]
  state = training.begin_with(start, params, OPTIMIZER, SPEC)
  assert_equal(state.params["y_density"], start.params["y_density"])
  assert_equal(state.params["analysis"], params["analysis"])
  with pytest.raises(JaxlicError, match="have other, which this model lacks"):
    training.begin_with(start, params | {"other": np.zeros(3)}, OPTIMIZER, SPEC)


def test_weights_that_share_no_group_are_of_another_model(start):
  with pytest.raises(JaxlicError, match="have other, which this model lacks"):
    training.begin_with(start, {"other": np.zeros(3)}, OPTIMIZER, SPEC)
  with pytest.raises(JaxlicError, match="not of this model"):
    training.begin_with(start, {}, OPTIMIZER, SPEC)


def test_a_run_can_begin_with_what_fits_its_shapes(start):
  params = jax.tree.map(lambda x: np.asarray(x) + 1, start.params)
  params["other"], density = np.zeros(3), params["y_density"]
  wide = {name: np.zeros((9, *leaf.shape)) for name, leaf in density.items()}
  wider = params | {"y_density": wide}
  chosen = training.fitting(start.params, wider)
  assert_equal(chosen["analysis"], params["analysis"])
  assert_equal(chosen["y_density"], start.params["y_density"])
  assert "other" not in chosen
  assert training.unfitting(start.params, wider) == ["y_density"]
  del params["analysis"]
  chosen = training.fitting(start.params, params)
  assert_equal(chosen["analysis"], start.params["analysis"])


def test_a_run_can_begin_with_an_imported_model_and_its_medians(start):
  density = start.params["y_density"]
  median = np.linspace(-0.4, 0.4, len(density["bias0"]), dtype=np.float32)
  params = start.params | {"y_density": density | {"median": median}}
  state = training.begin_with(start, params, OPTIMIZER, SPEC)
  assert_equal(state.params, params)
  assert_equal(state.average, params)
  # Its optimizer takes gradients of these parameters.
  updates, _ = jax.eval_shape(
    OPTIMIZER.update, params, state.optimizer, state.params, value=jnp.zeros(())
  )
  assert updates["y_density"]["median"].shape == median.shape
  del params["y_density"]["bias0"]
  with pytest.raises(JaxlicError, match="not of this model"):
    training.begin_with(start, params, OPTIMIZER, SPEC)


def begin(config, state, trained, *, resumes=False):
  return warm_start.begin(
    state, config, OPTIMIZER, SPEC, load=lambda _: trained, resumes=resumes
  )


def state_of(params):
  return training.State(0, params, {}, (), (), {}, 0, 0)


def codec_of(params):
  return types.SimpleNamespace(
    architecture="theis2017", options={"width": 6}, params=params
  )


def test_a_part_of_a_model_is_trained_from_a_codec():
  config = Config(model=Model(NAME))
  config.optimizer.only = ("log_scale",)
  with pytest.raises(JaxlicError, match="which is at random; give start_from"):
    begin(config, state_of({}), None)


def test_what_is_not_trained_comes_from_the_codec():
  config = Config(start_from="CODEC", model=Model(NAME))
  config.optimizer.only = ("log_scale",)
  initial = state_of({"analysis": 0, "mask": 0, "log_scale": 0})
  with pytest.raises(JaxlicError, match="CODEC has no mask; .*{'width': 6}"):
    begin(config, initial, codec_of({"analysis": 0}))


def test_weights_that_fit_nowhere_are_refused():
  config = Config(start_from="CODEC", start_partly=True, model=Model(NAME))
  initial = state_of({"analysis": jnp.ones(4)})
  with pytest.raises(JaxlicError, match="nothing of start_from, CODEC, fits"):
    begin(config, initial, codec_of({"analysis": np.ones(3)}))


def test_what_a_codec_lacks_is_told(start, caplog):
  config = Config(start_from="CODEC", model=Model(NAME))
  params = {k: v for k, v in start.params.items() if k != "y_density"}
  state = begin(config, start, codec_of(params))
  assert_equal(state.params, start.params)
  assert "CODEC has no y_density: what it lacks starts" in caplog.text


def test_a_run_that_resumes_does_without_its_codec(tmp_path, start):
  config = Config(start_from=str(tmp_path / "gone"), model=Model(NAME))
  assert begin(config, start, None, resumes=True) is start
