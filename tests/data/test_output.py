import os

import pytest

from jaxlic.data import output
from jaxlic.errors import JaxlicError


def test_an_existing_file_is_replaced(tmp_path):
  path = tmp_path / "a.jlic"
  for data in (b"first", b"second"):
    output.write_bytes(path, data)
  assert path.read_bytes() == b"second"
  assert os.listdir(tmp_path) == ["a.jlic"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
  path = tmp_path / "a.jlic"
  output.write_bytes(path, b"old")

  def fail(descriptor):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr("os.fsync", fail)
  with pytest.raises(JaxlicError, match="cannot write .No space left"):
    output.write_bytes(path, b"new")
  assert path.read_bytes() == b"old"
  assert os.listdir(tmp_path) == ["a.jlic"]


def test_new_files_have_the_permissions_of_the_umask(tmp_path):
  previous = os.umask(0o027)
  try:
    output.write_bytes(tmp_path / "a.jlic", b"data")
  finally:
    os.umask(previous)
  assert (tmp_path / "a.jlic").stat().st_mode & 0o777 == 0o640


def test_writing_through_a_link_keeps_the_link(tmp_path):
  link = tmp_path / "link.jlic"
  link.symlink_to(tmp_path / "target.jlic")
  output.write_bytes(link, b"data")
  assert link.is_symlink()
  assert (tmp_path / "target.jlic").read_bytes() == b"data"


def test_writing_to_a_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="is a folder; add a file name"):
    output.write_bytes(tmp_path, b"data")


def test_writing_into_a_missing_folder_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="no folder .*missing; create it"):
    output.write_bytes(tmp_path / "missing" / "a.jlic", b"data")


def test_writing_over_a_pipe_is_refused(tmp_path):
  os.mkfifo(tmp_path / "pipe")
  with pytest.raises(JaxlicError, match="not a regular file"):
    output.write_bytes(tmp_path / "pipe", b"data")


def test_an_impossible_target_is_refused(tmp_path):
  with pytest.raises(JaxlicError, match="cannot write"):
    output.write_bytes(tmp_path / ("a" * 300), b"data")
