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
      "python3 -m venv venv && venv/bin/pip install ./tree\n"
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
  with release_training.lock(tmp_path) as free:
    assert free
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


def test_a_report_needs_a_checkpoint(tmp_path, monkeypatch, capsys):
  assert call(monkeypatch, "report", tmp_path) == 2
  assert "no checkpoint yet" in capsys.readouterr().err


def test_a_directory_is_set_up_once(tmp_path, monkeypatch, capsys):
  words = ("setup", tmp_path, "photos", "kodak", "anchors")
  assert call(monkeypatch, *words) == 2
  assert "is there already" in capsys.readouterr().err
