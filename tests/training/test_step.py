"""One step of training; `jax.vmap` stands for the devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import training
from jaxlic.training.config import Config, Loss, Model, Optimizer
from tests.conftest import make_toy, over_devices

STEPS = 5
# The model that compiles fastest.
NAME = "bmshj2018-factorized"


def make_config(**loss):
  """A configuration of the package; that of flags is in test_configs.py."""
  return Config(
    optimizer=Optimizer(learning_rate=2e-3, schedule="plateau", factor=0.1),
    loss=Loss(**loss),
    model=Model(NAME),
  )


@functools.cache
def make_step(accumulate=1, **loss):
  """Compiled once: (state, images, index) -> state, over any devices."""
  config = make_config(**loss)
  config.accumulate = accumulate
  model, built, _, _ = make_toy(NAME)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  step = training.make_step(model, built, optimizer, config)
  compiled = jax.jit(over_devices(step))

  def run(state, images, index=None, devices=1):
    index = jnp.arange(len(images)) if index is None else jnp.asarray(index)
    shared = (
      x.reshape(devices, -1, *x.shape[1:])
      for x in (images, index.astype(jnp.uint32))
    )
    return compiled(state, *shared)

  return run


@pytest.fixture(scope="module")
def images():
  """Smooth in places and busy in others, as photographs are."""
  random = np.random.default_rng(0)
  coarse = random.integers(0, 256, (4, 8, 8, 3))
  fine = random.integers(-20, 20, (4, 64, 64, 3))
  fine[:, :, :32] = 0
  smooth = coarse.repeat(8, 1).repeat(8, 2)
  return jnp.asarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def start():
  config = make_config()
  model, _, params, _ = make_toy(NAME)
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  model = model._replace(init=lambda key: params)
  return training.init_state(model, optimizer, config)


@pytest.fixture(scope="module")
def states(start, images):
  """The state before each of a few steps on the same images, and after."""
  states = [start]
  for _ in range(STEPS):
    states.append(make_step()(states[-1], images))
  return states


def assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def loss_of(before, after):
  return float(after.totals["loss"] - before.totals["loss"])


@pytest.mark.newest
def test_steps_on_a_fixed_batch_lower_its_loss(states):
  # The same examples: qualities and noise are the same draws.
  losses = [
    loss_of(*pair) for pair in zip(states[:-1], states[1:], strict=True)
  ]
  assert losses[-1] < 0.95 * losses[0]


@pytest.mark.newest
def test_a_young_average_follows_the_parameters(states):
  # Step k keeps (k + 1) / (k + 10) of the average that it finds.
  before, after = states[1:3]
  average, params, followed = jax.device_get(
    (before.average, after.params, after.average)
  )
  jax.tree.map(
    lambda a, p, f: np.testing.assert_allclose(
      f, (2 * a + 9 * p) / 11, rtol=1e-5, atol=1e-6
    ),
    *(average, params, followed),
  )


@pytest.mark.newest
def test_a_step_adds_up_what_it_did(states):
  totals = states[STEPS].totals
  assert totals["steps"] == STEPS and totals["gradient_norm"] > 0
  parts = [v for name, v in totals.items() if name.startswith("bpp_")]
  assert len(parts) == len(make_toy(NAME)[0].stages)
  np.testing.assert_allclose(sum(parts), totals["bpp"], rtol=1e-5)


def test_devices_share_a_batch_without_changing_the_result(start, images):
  assert_close(*(make_step()(start, images, devices=d) for d in (1, 4)))


@pytest.mark.slow
def test_turns_share_a_batch_without_changing_the_result(start, images):
  assert_close(
    make_step()(start, images), make_step(accumulate=2)(start, images)
  )


def assert_close(a, b):
  # Sums in another order: a few times float32's 6e-8 of their terms' sizes.
  for name, value in a.totals.items():
    np.testing.assert_allclose(value, b.totals[name], rtol=2e-5, err_msg=name)


def test_what_is_random_in_an_example_depends_on_its_number_alone(
  start, images
):
  step = make_step()
  swapped = images[jnp.array([2, 0, 3, 1])]
  a = step(start, images, [5, 6, 7, 8])
  b = step(start, swapped, [7, 5, 8, 6])
  c = step(start, images, [6, 5, 7, 8])
  np.testing.assert_allclose(loss_of(start, a), loss_of(start, b), rtol=2e-5)
  assert abs(loss_of(start, a) - loss_of(start, c)) > 1e-3


@pytest.mark.parametrize("kind", ["norm", "nan"])
def test_an_unsound_step_changes_nothing_but_the_counts(states, images, kind):
  state, step = states[2], make_step()
  if kind == "nan":
    params = jax.tree.map(lambda x: x * jnp.nan, state.params)
    state = state._replace(params=params)
  else:
    step = make_step(max_norm=1e-9)  # of the configuration
  after = step(step(state, images), images)
  for name in ("params", "average", "optimizer", "totals"):
    assert_equal(getattr(after, name), getattr(state, name))
  assert after.key == state.key
  assert (after.step, after.skipped, after.streak) == (state.step + 2, 2, 2)


def test_a_sound_step_ends_the_streak_and_not_the_count(states, images):
  state = states[2]._replace(skipped=jnp.int32(7), streak=jnp.int32(3))
  after = make_step()(state, images)
  assert (after.skipped, after.streak) == (7, 0)


@pytest.mark.newest
@pytest.mark.parametrize(
  "fields",
  [
    {"name": "adamw", "weight_decay": 0.5, "schedule": "cosine"},
    {"name": "muon", "schedule": "stable"},
    {"name": "soap", "schedule": "plateau"},
    {"schedule": "power", "slow": ("analysis",), "only": ("synthesis",)},
  ],
)
def test_a_step_returns_what_it_may_take_the_memory_of(images, fields):
  model, built, params, _ = make_toy(NAME)
  model = model._replace(init=lambda key: params)
  config = Config(optimizer=Optimizer(**fields), model=Model(NAME))
  optimizer = training.make_optimizer(config.optimizer, model.spec)
  state = jax.eval_shape(lambda: training.init_state(model, optimizer, config))
  step = over_devices(training.make_step(model, built, optimizer, config))
  index = jnp.arange(4, dtype=jnp.uint32)
  after = jax.eval_shape(step, state, images[None], index[None])

  def types(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)

  assert types(after) == types(state)
