"""The loop of `train.py` around a step that does nothing."""

import contextlib
import itertools
import types

import jax.numpy as jnp
import numpy as np
import pytest

import train
from configs import bmshj2018_factorized
from jaxlic import training
from jaxlic.errors import JaxlicError
from jaxlic.training import devices
from jaxlic.training.logs import Logs
from jaxlic.training.run import Restored


class Run:
  """Remembers what is saved."""

  def __init__(self):
    self.saved = {}

  def save(self, state, next_example, **options):
    self.saved[int(state.step)] = next_example

  def sound(self):
    return None


def loop(
  monkeypatch, folder, *, at=0, next_example=0, skip=(), asked=(), dispatch=1
):
  """Runs the toy's steps after `at`, some of them skipped; returns the run."""
  monkeypatch.setattr(devices, "Stop", lambda: Asked(asked))
  config = bmshj2018_factorized.get_config("toy")
  config.loss.max_skipped = 3
  config.data.dispatch = dispatch
  names = ("loss", "bpp", "psnr_db", "gradient_norm", "steps")
  state = training.State(
    step=np.int32(at),
    params={},
    average={},
    optimizer=(),
    key=(),
    totals={name: jnp.ones(()) for name in names},
    skipped=np.int32(0),
    streak=np.int32(0),
  )

  def step(state, *batch):
    i = state.step + dispatch
    return state._replace(step=i, streak=(state.streak + 1) * int(i in skip))

  run = Run()
  batches = itertools.repeat((np.zeros(8),))
  with contextlib.closing(Logs(folder, at, silent=True)) as logs:
    start = Restored(state, next_example)
    train.train(config, run, logs, step, batches, None, start)
  return run


class Asked:
  def __init__(self, steps):
    self.asked = lambda step: step in steps


def test_examples_are_counted_from_where_a_run_resumed(monkeypatch, tmp_path):
  # Batches were of 4 before step 5, and are of 8 since.
  run = loop(monkeypatch, tmp_path, at=5, next_example=20)
  assert run.saved == {10: 20 + 5 * 8}
  assert loop(monkeypatch, tmp_path).saved == {5: 40, 10: 80}


def test_a_run_that_is_asked_saves_and_stops(monkeypatch, tmp_path):
  assert loop(monkeypatch, tmp_path, asked=[7]).saved == {5: 40, 7: 56}


def test_a_run_that_came_to_nothing_saves_nothing(monkeypatch, tmp_path):
  match = "the last 5 steps had .* not finite; the last .* is none: lower"
  with pytest.raises(JaxlicError, match=match):
    loop(monkeypatch, tmp_path, skip=range(11))


def test_no_checkpoint_is_of_a_streak_but_the_last(monkeypatch, tmp_path):
  assert loop(monkeypatch, tmp_path, skip=[4, 5]).saved == {10: 80}
  assert loop(monkeypatch, tmp_path, skip=[5, 10]).saved == {10: 80}


def test_a_dispatch_divides_the_step_it_goes_on_from(monkeypatch, tmp_path):
  with pytest.raises(JaxlicError, match="goes on from, 5, got 2; set it to 1"):
    loop(monkeypatch, tmp_path, at=5, dispatch=2)


def test_many_steps_a_dispatch_are_counted(monkeypatch, tmp_path):
  assert loop(monkeypatch, tmp_path, dispatch=5).saved == {5: 40, 10: 80}
  # Every process asks once per dispatch, in numbers without a gap.
  assert loop(monkeypatch, tmp_path, dispatch=5, asked=[1]).saved == {5: 40}


def test_no_training_starts_from_an_ensemble(monkeypatch):
  ensemble = types.SimpleNamespace(architecture="ensemble")
  monkeypatch.setattr(train.zoo, "load", lambda _: ensemble)
  with pytest.raises(JaxlicError, match="BEST is an ensemble; give one of its"):
    train.load_one("BEST")
