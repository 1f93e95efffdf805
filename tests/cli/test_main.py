import os
import subprocess

import pytest

import jaxlic
from jaxlic import cli
from jaxlic.cli import info
from jaxlic.cli import process as cli_process
from tests.cli.conftest import process, raising


def test_version(capsys):
  with pytest.raises(SystemExit, match="0"):
    cli.main(["--version"])
  assert capsys.readouterr().out == f"jaxlic {jaxlic.__version__}\n"


@pytest.mark.parametrize(
  "words",
  [
    [],
    ["shrink"],
    ["compress"],
    ["compress", "a", "b", "--fast"],
    ["eval", ".", "--qualities", "1,,2"],
    ["eval", ".", "--qualities", "9"],
    ["eval", ".", "--out", "a", "--csv", "a"],
    ["eval", ".", "--qualities", "0:6"],
    ["eval", ".", "--qualities", "0:6:0"],
    ["eval", ".", "--qualities", "0:x:1"],
    ["eval", ".", "--qualities", "0:6:nan"],
    ["compress", "a", "b", "--quality", "1", "--target-bpp", "1"],
    ["compress", "a", "b", "--target-psnr", "30", "--target-bpp", "1"],
    ["eval", "missing"],
    ["export", ".", "out"],
  ],
)
def test_wrong_words_are_refused(refuse, words, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  refuse(*words)
  assert not list(tmp_path.iterdir())


def test_lack_of_memory_is_one_line(refuse, monkeypatch):
  for error in (MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 8 GB")):
    monkeypatch.setattr(info, "run", raising(error))
    assert "not enough memory" in refuse("info", "a.jlic")


def test_an_unexpected_system_error_is_one_line(refuse, monkeypatch):
  full = OSError(28, "No space left on device", "a.jlic")
  monkeypatch.setattr(info, "run", raising(full))
  line = "jaxlic: a.jlic: No space left on device; check it\n"
  assert refuse("info", "x") == line


def test_an_interrupt_is_silent(monkeypatch, capsys):
  monkeypatch.setattr(info, "run", raising(KeyboardInterrupt()))
  assert cli.main(["info", "a.jlic"]) == 130
  assert capsys.readouterr() == ("", "")


def test_a_closed_or_full_output_leaves_no_traceback(jlic, tmp_path):
  (tmp_path / "a.jlic").write_bytes(jlic)
  words = "-m", "jaxlic", "info", tmp_path / "a.jlic"
  reader, writer = os.pipe()
  os.close(reader)
  done = process(*words, stdout=writer)
  os.close(writer)
  assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, "")
  with open("/dev/full", "w") as full:
    done = process(*words, stdout=full)
  assert done.returncode == 2
  assert done.stderr == "jaxlic: files: No space left on device; check it\n"


def test_no_cache_is_kept_where_it_cannot_be(monkeypatch, tmp_path):
  (tmp_path / "cache").write_text("no folder")
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  assert cli_process.cache_folder() is None


def test_help_does_not_import_jax():
  program = (
    "import contextlib, sys; from jaxlic import cli\n"
    "with contextlib.suppress(SystemExit): cli.main(['--help'])\n"
    "sys.exit('jax' in sys.modules)"
  )
  done = process("-c", program, stdout=subprocess.PIPE)
  assert (done.returncode, done.stderr) == (0, "")
  for command in cli.COMMANDS:
    name = command.__name__.rpartition(".")[2].rstrip("_")
    assert f"\n    {name}" in done.stdout
