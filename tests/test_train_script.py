"""What `train.py` does as processes, and what can be made of its directory."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from jaxlic import cli, zoo
from jaxlic.training.run import load_average
from tests.conftest import slow
from tests.trainer import CONFIG, ROOT

pytestmark = pytest.mark.usefixtures("no_process_outlives_its_test")

STEPS = 10
MANY = "--config.optimizer.steps=100000"


@pytest.fixture(scope="module")
def alone(trainer):
  """A whole run on one device, with an evaluation at its end."""
  code, out, err = trainer.run("alone", "--config.eval.folder=held")
  assert code == 0, err
  return out, err


@pytest.fixture(scope="module")
def long(trainer):
  """The losses of a longer run that nothing disturbed."""
  code, _, err = trainer.run("long", "--config.optimizer.steps=60")
  assert code == 0, err
  return trainer.losses("long")


@pytest.mark.newest
def test_a_run_logs_its_steps_and_what_it_left_out(trainer, alone):
  out, err = alone
  assert out.startswith("devices: 1 (cpu), 1 in this process; processes: 1\n")
  assert "3 photographs, starting at step 0\n" in out
  assert "compiling; then a line every 1 steps\n" in out
  assert out.endswith("done; a codec of it: jaxlic export alone CODEC\n")
  assert len(trainer.losses("alone")) == STEPS and "nan" not in out
  assert "eval 10  quality 0  loss" in out
  assert "left out 1 unreadable files: broken.png" in err
  assert "donated" not in err  # a step takes over all of its state's memory


@pytest.mark.newest
def test_a_run_leaves_what_explains_it(trainer, alone):
  names = {path.name for path in (trainer.folder / "alone").iterdir()}
  assert names == {
    ".lock",
    "checkpoints",
    "config.json",
    "eval.csv",
    "tensorboard",
    "train.csv",
    "versions.json",
  }


@pytest.mark.slow
@pytest.mark.parametrize("resident", [(), ("--config.data.resident",)])
def test_a_run_holds_out_a_split_and_goes_on_with_it(trainer, resident):
  workdir = f"split-{len(resident)}"
  words = (
    "--config.data.smallest_side=73",  # of 72x80, 73x80 and 74x80
    "--config.data.smallest_scale=1.0",
    "--config.data.crop_sizes=64,72",
    "--config.eval.split=1",
    *resident,
  )
  code, out, err = trainer.run(workdir, *words, "--config.optimizer.steps=5")
  assert code == 0, err
  assert "left out 1 photographs with a side below 73\n" in out
  assert "held out 1 photographs, the last by name\n" in out
  assert "1 photographs, starting at step 0\n" in out
  assert "eval 5  quality 0  loss" in out
  longer = "--config.optimizer.steps=10", "--change_config"
  code, out, err = trainer.run(workdir, *words, *longer)
  assert code == 0 and "starting at step 5\n" in out, err
  assert "the run was trained on" not in err
  code, _, err = trainer.run(workdir, *words, "--config.eval.split=0", *longer)
  assert code == 0 and "was trained on 1 photographs and goes on with 2" in err


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 8])
def test_devices_share_the_work_without_changing_the_result(
  trainer, alone, devices
):
  workdir = f"devices-{devices}"
  code, _, err = trainer.run(workdir, devices=devices)
  assert code == 0, err
  # Sums in another order, 6e-8 apart, ten steps long.
  np.testing.assert_allclose(
    trainer.losses(workdir), trainer.losses("alone"), rtol=1e-5
  )


@pytest.mark.slow
def test_hosts_share_the_work_without_changing_the_result(trainer, alone):
  assert trainer.run_hosts("hosts") == [0, 0]
  np.testing.assert_allclose(
    trainer.losses("hosts"), trainer.losses("alone"), rtol=1e-5
  )


@pytest.mark.slow
@pytest.mark.newest
def test_a_run_continues_on_another_number_of_devices(trainer, alone):
  shutil.copytree(trainer.folder / "alone", trainer.folder / "moved")
  shutil.rmtree(trainer.folder / "moved" / "checkpoints" / "10")
  code, out, err = trainer.run("moved", devices=2)
  assert code == 0 and "starting at step 5\n" in out, err
  np.testing.assert_allclose(
    trainer.losses("moved"), trainer.losses("alone"), rtol=1e-5
  )


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(trainer, long):
  for step in (5, 25):
    process = trainer.start("killed", "--config.optimizer.steps=60")
    trainer.wait_for("killed", step)
    time.sleep(random.uniform(0, 0.5))
    process.kill()
    process.communicate()
  code, out, err = trainer.run("killed", "--config.optimizer.steps=60")
  assert code == 0 and "starting at step 0\n" not in out, err
  assert trainer.losses("killed") == long
  averages = [
    load_average(trainer.folder / name)[1] for name in ("killed", "long")
  ]
  jax.tree.map(np.testing.assert_array_equal, *averages)


@pytest.mark.slow
def test_sigterm_saves_and_exits(trainer, long):
  process = trainer.start("asked", MANY)
  trainer.wait_for("asked", 5)
  code, _, err = trainer.run("asked", MANY)
  assert code == 2 and "asked is in use by another training" in err
  for _ in range(3):  # more than one changes nothing
    process.send_signal(signal.SIGTERM)
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert err.count("stopping after the steps under way\n") == 1
  step = len(trainer.losses("asked"))
  assert f"stopped at step {step} and saved" in out
  few = f"--config.optimizer.steps={step + 10}"
  code, out, err = trainer.run("asked", few, "--change_config")
  assert code == 0 and f"starting at step {step}\n" in out, err
  losses = trainer.losses("asked")
  assert len(losses) == step + 10
  both = min(len(losses), len(long))
  assert losses[:both] == long[:both]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_host_stops_both_after_one_step(trainer, number):
  def ask(processes):
    trainer.wait_for(workdir, 5)
    processes[1].send_signal(number)

  workdir = f"hosts-{number.name}"
  assert trainer.run_hosts(workdir, MANY, act=ask) == [0, 0]
  saved = (trainer.folder / workdir / "checkpoints").iterdir()
  last = max(int(path.name) for path in saved)
  assert last == len(trainer.losses(workdir)) < 100_000


@pytest.mark.newest
def test_a_run_becomes_a_codec(trainer, alone, capsys):
  folder, codec = trainer.folder / "alone", trainer.folder / "codec"
  words = ["export", str(folder), str(codec), "--checkpoint", "best"]
  assert cli.main(words) == 0
  assert "a codec named codec" in capsys.readouterr().out
  trained = zoo.load(codec)
  _, average = load_average(folder, step="best")
  halves = jax.tree.map(lambda x: np.float32(np.float16(x)), average)
  jax.tree.map(np.testing.assert_array_equal, trained.params, halves)
  photo, coded = str(trainer.folder / "held/3.png"), str(codec / "3.jlic")
  assert cli.main(["compress", photo, coded, "--model", str(codec)]) == 0
  back = ["decompress", coded, f"{coded}.png", "--model", str(codec)]
  assert cli.main(back) == 0


def test_a_finished_run_tells_how_to_go_on(trainer, alone):
  shutil.copytree(trainer.folder / "alone", trainer.folder / "again")
  code, out, err = trainer.run("again")
  assert code == 0, err
  assert "last step, 10; raise optimizer.steps with --change_config" in out


@pytest.mark.slow
def test_a_run_that_comes_to_nothing_names_its_last_checkpoint(trainer, alone):
  shutil.copytree(trainer.folder / "alone", trainer.folder / "lost")
  code, _, err = trainer.run(
    "lost",
    "--change_config",
    "--config.optimizer.steps=80",
    "--config.loss.max_norm=1e-9",
    "--config.loss.max_skipped=16",
    "--config.checkpoint_every=80",
    "--config.eval.every=80",
  )
  assert code == 2
  assert "last good checkpoint is " in err and "lost/checkpoints/10" in err


@pytest.mark.slow
def test_a_full_disk_keeps_what_was_saved(trainer, alone):
  shutil.copytree(trainer.folder / "alone", trainer.folder / "full")
  code, _, err = trainer.run(
    "full",
    "--change_config",
    "--config.optimizer.steps=20",
    blocks=16,  # a file that may not grow fails as it does on a full disk
  )
  assert code == 2
  (line,) = (line for line in err.splitlines() if line.startswith("train.py"))
  assert "free some space" in line and "full/checkpoints/10" in line
  assert "Traceback" not in err
  load_average(trainer.folder / "full")


@pytest.mark.parametrize(
  ("word", "match"),
  [
    slow("--config.data.folder=missing", "missing: no such folder"),
    slow(
      "--config.data.batchsize=3",
      "has no field data.batchsize; see jaxlic/training/config",
    ),
    ("--config.seed=1", "holds a run with seed 0, not 1"),
  ],
)
def test_a_mistake_is_one_line_and_changes_nothing(trainer, alone, word, match):
  folder = trainer.folder / "alone"
  before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
  code, out, err = trainer.run("alone", word)
  assert code == 2 and out == ""
  lines = [line for line in err.splitlines() if "unreadable" not in line]
  assert len(lines) == 1
  assert lines[0].startswith("train.py: ")
  assert re.search(match, lines[0])
  after = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
  assert before == after


@pytest.mark.slow
def test_a_run_whose_streams_are_closed_trains(trainer):
  command = [sys.executable, ROOT / "train.py", f"--config={CONFIG}:toy"]
  done = subprocess.run(
    ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    + ["--config.data.folder=photos", "--workdir=closed"],
    cwd=trainer.folder,
    env=trainer.environment(),
  )
  assert done.returncode == 0
  assert len(trainer.losses("closed")) == STEPS


@pytest.mark.parametrize(
  ("word", "says"),
  [
    ("width=0", "train.py: bmshj2018-factorized: width is a whole number from"),
    ("norm=x", "norm is one of sqrt, simplified, square, or {'preset'"),
  ],
)
def test_an_option_that_the_model_cannot_have_is_one_line(trainer, word, says):
  code, out, err = trainer.run("wrong", f"--config.model.options.{word}")
  assert (code, out, err.count("\n")) == (2, "", 1)
  assert says in err
  assert not (trainer.folder / "wrong").exists()
