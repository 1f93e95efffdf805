"""The refusals of benchmarks/release_training.py; its run takes hours."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks import release_training


def call(monkeypatch, *words):
  monkeypatch.setattr(sys, "argv", ["release_training.py", *map(str, words)])
  return release_training.main()


def test_a_command_without_its_environment_is_one_line(tmp_path):
  release_training.write_scripts(tmp_path)
  for name in ("resume", "report"):
    done = subprocess.run([tmp_path / name], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
      f"{name}: needs its virtual environment, {tmp_path}/venv; make it again: "
      f"cd {tmp_path} && python3 -m venv venv && "
      "venv/bin/pip install -c versions.txt ./tree\n"
    )


@pytest.mark.parametrize("command", ["resume", "report"])
def test_a_full_disk_is_refused(tmp_path, monkeypatch, capsys, command):
  monkeypatch.setattr(
    release_training.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**29)
  )
  assert call(monkeypatch, command, tmp_path) == 2
  error = capsys.readouterr().err
  assert "need 2 GiB of disk" in error and "has 0.5 GiB left" in error
  assert error.count("\n") == 1


def test_a_run_goes_on_once(tmp_path, monkeypatch, capsys):
  (tmp_path / "log").write_text("0.51 h  step 100\n")
  with release_training.lock(tmp_path) as held:
    assert held
    assert call(monkeypatch, "resume", tmp_path) == 0
    assert capsys.readouterr().out == "it runs: 0.51 h  step 100\n"
    assert call(monkeypatch, "train", tmp_path) == 2


def test_hours_add_up_over_what_is_resumed(tmp_path, monkeypatch, capfd):
  (tmp_path / "tree").mkdir()
  (tmp_path / "hours").write_text("2.5")
  facts = {"flags": ["--config=configs/lapped.py", "--config.seed=7"]}
  (tmp_path / "facts.json").write_text(json.dumps(facts))
  monkeypatch.setattr(
    release_training, "python_of", lambda directory: "/bin/echo"
  )
  assert call(monkeypatch, "train", tmp_path) == 0
  out = capfd.readouterr().out
  assert out.startswith("2.50 h  train.py --config=configs/lapped.py")
  assert f"--workdir={tmp_path}/run" in out and "--config.seed=7" in out
  assert 2.5 <= release_training.hours_of(tmp_path) < 2.51


def test_a_setup_that_fails_leaves_nothing(tmp_path, monkeypatch, capsys):
  folders = [tmp_path / name for name in ("photos", "kodak", "anchors")]
  for folder in folders:
    folder.mkdir()
  assert call(monkeypatch, "setup", tmp_path / "run", *folders) == 2
  assert "photos is no folder with files" in capsys.readouterr().err
  for folder in folders:
    (folder / "0.png").touch()
  monkeypatch.setattr(
    release_training, "python_of", lambda directory: "/bin/false"
  )
  assert call(monkeypatch, "setup", tmp_path / "run", *folders) == 2
  assert "cannot be installed" in capsys.readouterr().err
  assert not (tmp_path / "run").exists()


def test_some_photographs_are_held_out(tmp_path):
  (tmp_path / "photos").mkdir()
  for i in range(250):
    (tmp_path / "photos" / f"{i:03}.jpg").touch()
  (tmp_path / "run").mkdir()
  release_training.link_photographs(tmp_path / "run", tmp_path / "photos")
  held = sorted(path.name for path in (tmp_path / "run" / "held").iterdir())
  assert held == ["000.jpg", "120.jpg", "240.jpg"]
  assert len(list((tmp_path / "run" / "photos").iterdir())) == 247


def test_a_branch_decays_from_where_it_begins(tmp_path, monkeypatch):
  (tmp_path / "run").mkdir()
  (tmp_path / "facts.json").write_text('{"flags": []}')
  rows = "step,loss,skipped\n900,1.5,2\n1000,1.4,3\n1100,1.4,9\n"
  (tmp_path / "run" / "train.csv").write_text(rows)
  words = release_training.branch_command(
    tmp_path, tmp_path / "branch-1000", 1000, 200
  )
  # The schedule has counted 997 steps, and decays from 1200 - 203 on.
  assert "--config.optimizer.steps=1200" in words
  assert "--config.optimizer.decay_steps=203" in words
  assert "--config.loss.average_decay=0.95" in words


def test_a_report_needs_a_checkpoint(tmp_path, monkeypatch, capsys):
  assert call(monkeypatch, "report", tmp_path) == 2
  assert "no checkpoint yet" in capsys.readouterr().err


def test_a_directory_is_set_up_once(tmp_path, monkeypatch, capsys):
  words = ("setup", tmp_path, "photos", "kodak", "anchors")
  assert call(monkeypatch, *words) == 2
  assert "is there already" in capsys.readouterr().err
