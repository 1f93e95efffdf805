"""The loop of `train.py` around a step that does nothing, and its errors."""

import contextlib
import itertools
import sys
import types
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import train
from configs import bmshj2018_factorized, default
from jaxlic import training
from jaxlic.errors import JaxlicError
from jaxlic.training import devices
from jaxlic.training.logs import Logs


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
    return state._replace(step=i, streak=(state.streak + 1) * (i in skip))

  run = Run()
  batches = itertools.repeat((np.zeros(8),))
  with contextlib.closing(Logs(folder, at, silent=True)) as logs:
    train.train(config, run, logs, step, state, batches, None, next_example)
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


def test_a_part_of_a_model_is_trained_from_a_codec():
  config = default.get_config()
  config.optimizer.only = ("log_scale",)
  with pytest.raises(JaxlicError, match="which is at random; give start_from"):
    train.begin(None, config, None, resumes=False)


def test_what_is_not_trained_comes_from_the_codec(monkeypatch):
  config = default.get_config()
  config.start_from = "CODEC"
  config.optimizer.only = ("log_scale",)
  found = types.SimpleNamespace(
    architecture="theis2017", options={"width": 6}, params={"analysis": 0}
  )
  monkeypatch.setattr(train.pretrained, "load", lambda _: found)
  params = {"analysis": 0, "mask": 0, "log_scale": 0}
  initial = training.State(0, params, {}, (), (), {}, 0, 0)
  with pytest.raises(JaxlicError, match="CODEC has no mask; .*{'width': 6}"):
    train.begin(initial, config, None, resumes=False)


def test_weights_that_fit_nowhere_are_refused(monkeypatch):
  config = default.get_config()
  config.start_from, config.start_partly = "CODEC", True
  found = types.SimpleNamespace(
    architecture="lapped", options={"width": 6}, params={"analysis": np.ones(3)}
  )
  monkeypatch.setattr(train.pretrained, "load", lambda _: found)
  params = {"analysis": jnp.ones(4)}
  initial = training.State(0, params, {}, (), (), {}, 0, 0)
  with pytest.raises(JaxlicError, match="nothing of start_from, CODEC, fits"):
    train.begin(initial, config, None, resumes=False)


def test_a_dispatch_divides_the_step_it_goes_on_from(monkeypatch, tmp_path):
  with pytest.raises(JaxlicError, match="goes on from, 5, got 2; set it to 1"):
    loop(monkeypatch, tmp_path, at=5, dispatch=2)


def test_many_steps_a_dispatch_are_counted(monkeypatch, tmp_path):
  assert loop(monkeypatch, tmp_path, dispatch=5).saved == {5: 40, 10: 80}
  # Every process asks once per dispatch, in numbers without a gap.
  assert loop(monkeypatch, tmp_path, dispatch=5, asked=[1]).saved == {5: 40}


def test_no_training_starts_from_an_ensemble(monkeypatch):
  config = default.get_config()
  config.start_from = "BEST"
  found = types.SimpleNamespace(architecture="ensemble")
  monkeypatch.setattr(train.pretrained, "load", lambda _: found)
  with pytest.raises(JaxlicError, match="BEST is an ensemble; give one of its"):
    train.begin(None, config, None, resumes=False)


def test_an_error_without_words_is_explained():
  assert train.explain(OSError()) == "files: OSError; check it"
  full = OSError(28, "No space left on device", "a/b")
  assert train.explain(full) == "a/b: No space left on device; check it"
  assert train.explain(KeyError("a")) is None


def test_local_devices_are_numbers():
  assert train.devices_of(None) is None
  assert train.devices_of(["0", "3"]) == [0, 3]
  with pytest.raises(JaxlicError, match="are numbers, got 0,a; write"):
    train.devices_of(["0", "a"])


@pytest.mark.filterwarnings("ignore:.*load_module")  # ml_collections'
@pytest.mark.parametrize(
  ("words", "match"),
  [
    ("--workdir=w", "--config is missing; give"),
    ("--config={toy}", "--workdir is missing; give"),
    ("--config={toy} --workdir=", "--workdir is missing; give"),
    (
      "--config=nope.py --workdir=w",
      "--config cannot be read .No such.*nope.py'",
    ),
    ("--config={big} --workdir=w", "^a configuration's .* got 'big'; .*toy$"),
    ("--config={default} --workdir=w", "default.py has no model; name"),
    ("--config={toy} --workdir=w config.seed=1", "only flags, got 'config.se"),
    (
      "--config={toy} --workdir=w --config.optimizer.stepz=1",
      'has no field optimizer.stepz; did you mean "steps".$',
    ),
    (
      "--config={toy} --workdir=w --config.seed.x=1",
      "has no field seed.x; see configs/default.py$",
    ),
  ],
)
def test_a_mistake_on_the_command_line_is_told(monkeypatch, words, match):
  folder = Path(default.__file__).parent
  files = {size: f"{folder}/lapped.py:{size}" for size in ("toy", "big")}
  words = words.format(default=f"{folder}/default.py", **files).split()
  monkeypatch.setattr(sys, "argv", ["train.py", *words])
  train.flags.FLAGS.unparse_flags()
  try:
    with pytest.raises(JaxlicError, match=match):
      train.parse_flags(sys.argv)
  finally:
    train.flags.FLAGS.unparse_flags()
    train.flags.FLAGS.mark_as_parsed()


@pytest.mark.filterwarnings("ignore:.*load_module")  # ml_collections'
def test_a_mistake_inside_a_config_is_told_with_its_line(tmp_path):
  path = tmp_path / "wrong.py"
  path.write_text(
    "from configs import default\n\n\ndef get_config():\n"
    "  config = default.get_config()\n  config.optimizr.steps = 3\n"
  )
  words = ["train.py", f"--config={path}", "--workdir=w"]
  with pytest.raises(JaxlicError, match="wrong.py, line 6: .*optimizr"):
    train.parse_flags(words)
  train.flags.FLAGS.unparse_flags()
  train.flags.FLAGS.mark_as_parsed()
