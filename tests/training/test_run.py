import contextlib
import json
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import bmshj2018_hyperprior
from jaxlic import training
from jaxlic.errors import JaxlicError
from jaxlic.training import devices
from jaxlic.training import optimizer as optimizers
from jaxlic.training.config import Optimizer
from jaxlic.training.run import Run, load_average
from jaxlic.types import ModelSpec
from tests.conftest import make_toy

pytestmark = pytest.mark.newest

SPEC = ModelSpec("m", 16, rests=("open",), opens=("mask", "open"))


@pytest.fixture(scope="module")
def config():
  return bmshj2018_hyperprior.get_config("toy")


@pytest.fixture(scope="module")
def state(config):
  """On one device, as training has it."""
  model, _, params, _ = make_toy("bmshj2018-hyperprior")
  model = model._replace(init=lambda key: params)
  optimizer = optimizers.make(config.optimizer, model.spec)
  return devices.put(training.init_state(model, optimizer, config))


def at(state, step, value=0.0):
  params = jax.tree.map(lambda x: x + value, state.params)
  average = jax.tree.map(lambda x: x - value, state.average)
  return state._replace(
    step=jnp.int32(step), params=params, average=average, skipped=jnp.int32(3)
  )


@contextlib.contextmanager
def open_run(folder, config, **options):
  with Run(folder, config, main=True, **options) as run:
    run.describe()
    yield run


def make_run(folder, config, **options):
  with open_run(folder, config, **options):
    pass


def test_a_state_comes_back_as_it_was(tmp_path, config, state):
  saved = at(state, 7, 0.5)
  with open_run(tmp_path, config) as run:
    assert run.restore(state) is None
    run.save(saved, 56)
  with open_run(tmp_path, config) as run:
    restored = run.restore(state)
  assert restored.next_example == 56
  assert restored.state.key == saved.key
  for name in set(saved._fields) - {"key"}:
    jax.tree.map(
      np.testing.assert_array_equal,
      getattr(restored.state, name),
      getattr(saved, name),
    )


def fresh_state(params, optimizer):
  zero = jnp.int32(0)
  return training.State(
    step=zero,
    params=params,
    average=params,
    optimizer=optimizer.init(params),
    key=jax.random.key(0),
    totals={"steps": jnp.zeros(())},
    skipped=zero,
    streak=zero,
  )


def test_a_mask_goes_on_opening_in_the_middle_of_a_window(tmp_path, config):
  optimizer = optimizers.make(Optimizer(open_window=4), SPEC)
  params = {"y": jnp.ones(2), "mask": {"open": jnp.asarray([1.0, 0.0, 0.0])}}
  gradient = jax.tree.map(jnp.ones_like, params)

  update = jax.jit(optimizer.update)

  def steps(state, count):
    for _ in range(count):
      updates, inner = update(
        gradient, state.optimizer, state.params, value=jnp.float32(5.0)
      )
      after = jax.tree.map(jnp.add, state.params, updates)
      state = state._replace(params=after, optimizer=inner)
    return state

  start = devices.put(fresh_state(params, optimizer))
  with open_run(tmp_path, config) as run:
    run.save(steps(start, 6), 6)
  with open_run(tmp_path, config) as run:
    restored = run.restore(start).state
  resumed, undisturbed = steps(restored, 3), steps(start, 9)
  # The second window of no gain ends at step 8.
  np.testing.assert_array_equal(resumed.params["mask"]["open"], [1, 1, 0])
  jax.tree.map(
    np.testing.assert_array_equal, resumed.optimizer, undisturbed.optimizer
  )


@pytest.mark.parametrize("name", ["muon", "soap"])
def test_an_optimizer_of_matrices_goes_on_as_if_undisturbed(
  tmp_path, config, name
):
  optimizer = optimizers.make(Optimizer(name=name), SPEC)
  params = {
    "y": jnp.ones(2),
    "w": jax.random.normal(jax.random.key(0), (18, 16)),
  }

  update = jax.jit(optimizer.update)

  def steps(state, first, last):
    for i in range(first, last):
      gradient = jax.tree.map(lambda x, i=i: jnp.sin(x * i), state.params)
      updates, inner = update(gradient, state.optimizer, state.params)
      after = jax.tree.map(jnp.add, state.params, updates)
      state = state._replace(params=after, optimizer=inner)
    return state

  start = devices.put(fresh_state(params, optimizer))
  with open_run(tmp_path, config) as run:
    run.save(steps(start, 1, 8), 7)
  with open_run(tmp_path, config) as run:
    restored = run.restore(start).state
  resumed, undisturbed = steps(restored, 8, 12), steps(start, 1, 12)
  jax.tree.map(
    np.testing.assert_array_equal,
    (resumed.params, resumed.optimizer),
    (undisturbed.params, undisturbed.optimizer),
  )


def test_what_is_saved_may_change_at_once(tmp_path, config, state):
  # As a step does that is given the state's memory.
  saved = at(state, 1)
  expected = np.array(jax.tree.leaves(saved.params)[0])
  with open_run(tmp_path, config) as run:
    run.save(saved, 8)
    jax.jit(
      lambda tree: jax.tree.map(lambda x: x * 0 + 9, tree), donate_argnums=0
    )(saved.params)
  with open_run(tmp_path, config) as run:
    restored = run.restore(state).state
  np.testing.assert_array_equal(jax.tree.leaves(restored.params)[0], expected)


def test_the_last_two_and_the_best_are_kept(tmp_path, config, state):
  losses = {1: 5.0, 2: 1.0, 3: 4.0, 4: float("nan"), 5: None, 6: 3.0}
  with open_run(tmp_path, config) as run:
    for step, loss in losses.items():
      run.save(at(state, step, step / 8), 8 * step, loss=loss)
  kept = sorted(int(p.name) for p in (tmp_path / "checkpoints").iterdir())
  assert kept == [2, 5, 6]
  for step, chosen in [("last", 6), ("best", 2), (5, 5)]:
    fields, average = load_average(tmp_path, step=step)
    expected = at(state, chosen, chosen / 8).average
    jax.tree.map(np.testing.assert_array_equal, average, expected)
    assert fields == json.loads(config.to_json())
  with pytest.raises(JaxlicError, match="no checkpoint 4, but 2, 5, 6"):
    load_average(tmp_path, step=4)


def test_a_half_written_checkpoint_is_never_loaded(tmp_path, config, state):
  with open_run(tmp_path, config) as run:
    run.save(at(state, 1), 8)
    run.save(at(state, 2), 16)
  whole, half = (tmp_path / "checkpoints" / str(k) for k in (2, 3))
  # As Orbax names what it has not finished.
  shutil.copytree(whole, f"{half}.orbax-checkpoint-tmp")
  os.unlink(f"{half}.orbax-checkpoint-tmp/commit_success.txt")
  with open_run(tmp_path, config) as run:
    assert run.latest == 2
    assert int(run.restore(state).state.step) == 2
  assert not any((tmp_path / "checkpoints").glob("3*"))


def test_a_damaged_checkpoint_is_named(tmp_path, config, state):
  with open_run(tmp_path, config) as run:
    run.save(at(state, 1), 8)
  shutil.rmtree(tmp_path / "checkpoints" / "1" / "state")
  with open_run(tmp_path, config) as run:
    with pytest.raises(
      JaxlicError, match="1 is damaged .*; no other is sound: give"
    ):
      run.restore(state)
  shutil.rmtree(tmp_path / "checkpoints" / "1" / "average")
  with pytest.raises(
    JaxlicError, match="is damaged .*; no other is sound: restore"
  ):
    load_average(tmp_path)


def test_a_checkpoint_of_another_optimizer_is_no_damage(
  tmp_path, config, state
):
  with open_run(tmp_path, config) as run:
    run.save(at(state, 1), 8)
  other = config.copy_and_resolve_references()
  other.optimizer.schedule = "plateau"
  optimizer = optimizers.make(other.optimizer, SPEC)
  moments = state._replace(optimizer=optimizer.init(state.params))
  shapes = state._replace(params=jax.tree.map(lambda x: x[None], state.params))
  for changed in (moments, shapes):
    with Run(tmp_path, other, main=True, change=True) as run:
      with pytest.raises(JaxlicError, match="is of another optimizer, loss or"):
        run.restore(changed)
  # The way out it names is open: the configuration is as it was.
  with open_run(tmp_path, config) as run:
    assert int(run.restore(state).state.step) == 1


def test_a_save_that_fails_is_tried_again(tmp_path, config, state, monkeypatch):
  def fail(*args, **options):
    raise OSError("no space left")

  with open_run(tmp_path, config) as run:
    checkpointer = run._checkpoints._checkpointer
    monkeypatch.setattr(checkpointer, "save_checkpointables_async", fail)
    run.save(at(state, 1), 8)
    assert run.sound().name == "1"
    run.save(at(state, 2), 16, wait=True)
    assert run.sound().name == "2"


def test_what_is_not_finished_is_no_sound_checkpoint(tmp_path, config, state):
  with open_run(tmp_path, config) as run:
    run.save(at(state, 1), 8, wait=True)
    whole = tmp_path / "checkpoints" / "1"
    # As Orbax names what it has not finished.
    shutil.copytree(whole, whole.with_name("2.orbax-checkpoint-tmp"))
    assert run.sound() == whole


def test_other_photographs_are_told(tmp_path, config, state, caplog):
  with open_run(tmp_path, config, photographs=5) as run:
    run.save(at(state, 1), 8)
  for count, warns in ((5, False), (6, True)):
    with open_run(tmp_path, config, photographs=count) as run:
      run.restore(state)
    warned = "trained on 5 photographs and goes on with 6" in caplog.text
    assert warned == warns


@pytest.mark.parametrize("kind", ["nothing", "other", "no checkpoint"])
def test_a_folder_without_a_run_gives_one_line(tmp_path, config, kind):
  if kind == "other":
    (tmp_path / "config.json").write_text('{"model": 3}')
  if kind == "no checkpoint":
    make_run(tmp_path, config)
  match = "no checkpoint" if kind == "no checkpoint" else "no config.json"
  with pytest.raises(JaxlicError, match=match):
    load_average(tmp_path)


def test_a_folder_without_a_run_is_named_as_it_was_given():
  with pytest.raises(JaxlicError, match="^nowhere has no config.json of a run"):
    load_average("nowhere")
