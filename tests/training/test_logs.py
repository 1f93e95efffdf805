import csv
import struct
import time

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

from jaxlic.errors import JaxlicError
from jaxlic.training.logs import Logs

pytestmark = pytest.mark.newest

MEANS = {"loss": 1.5, "bpp": 0.25, "psnr_db": 30.0, "gradient_norm": 2.0}
MEANS |= {"skipped": 1, "bpp_y": 0.25}
POINT = {"quality": 0.0, "loss": 2.0, "bpp": 0.5, "psnr_db": 31.0}


def rows(path):
  with open(path) as file:
    return list(csv.DictReader(file))


def events(folder):
  """Values of TensorBoard's files: (tag, step, number or picture's size)."""
  for path in sorted((folder / "tensorboard").iterdir()):
    data = path.read_bytes()
    while data:
      # TFRecord: length, its checksum, the bytes, their checksum.
      (length,) = struct.unpack("<Q", data[:8])
      event = event_pb2.Event.FromString(data[12 : 12 + length])
      data = data[16 + length :]
      for value in event.summary.value:
        if value.HasField("image"):
          yield value.tag, event.step, (value.image.height, value.image.width)
        else:
          yield value.tag, event.step, value.simple_value


def test_a_window_is_a_line_a_row_and_scalars(tmp_path, capsys):
  logs = Logs(tmp_path, 0)
  logs.train(10, MEANS, 3.0)
  logs.close()
  line = "step 10  loss 1.5000  bpp 0.2500  psnr 30.00 dB  grad 2.00  skipped 1"
  assert line in capsys.readouterr().out
  (row,) = rows(tmp_path / "train.csv")
  assert row["step"] == "10" and row["loss"] == "1.5" and row["bpp_y"] == "0.25"
  scalars = list(events(tmp_path))
  assert ("train/loss", 10, 1.5) in scalars
  assert ("train/steps_per_second", 10, 3.0) in scalars


def test_what_is_not_finite_is_in_the_table_alone(tmp_path, caplog):
  logs = Logs(tmp_path, 0)
  logs.train(10, MEANS | {"loss": float("nan")}, 3.0)
  logs.evaluation(10, [POINT | {"bpp": float("inf")}])
  logs.close()
  (row,) = rows(tmp_path / "train.csv")
  assert row["loss"] == "nan" and "NaN or Inf" not in caplog.text
  tags = {tag for tag, _, _ in events(tmp_path)}
  assert {"train/bpp", "eval/loss/quality_0"} <= tags
  assert not {"train/loss", "eval/bpp/quality_0"} & tags


def test_an_evaluation_is_a_line_a_row_scalars_and_pictures(tmp_path, capsys):
  logs = Logs(tmp_path, 0)
  picture = np.zeros((6, 8, 3), np.uint8)
  logs.evaluation(20, [POINT, POINT | {"quality": 1.0}], [picture])
  logs.close()
  assert "eval 20  quality 1  loss 2.0000" in capsys.readouterr().out
  assert [row["quality"] for row in rows(tmp_path / "eval.csv")] == [
    "0.0",
    "1.0",
  ]
  shown = list(events(tmp_path))
  assert ("eval/psnr_db/quality_1", 20, 31.0) in shown
  assert ("eval/0", 20, (6, 8)) in shown


def test_a_resumed_run_drops_the_rows_of_steps_taken_again(tmp_path):
  logs = Logs(tmp_path, 0)
  for step in (10, 20, 30):
    logs.train(step, MEANS, 1.0)
  logs.close()
  path = tmp_path / "train.csv"
  path.write_text(path.read_text() + "40,1.0,0.")  # killed while writing
  logs = Logs(tmp_path, 20)
  logs.train(30, MEANS | {"loss": 9.0}, 1.0)
  logs.close()
  losses = [(row["step"], row["loss"]) for row in rows(path)]
  assert losses == [("10", "1.5"), ("20", "1.5"), ("30", "9.0")]


def test_a_table_of_other_columns_goes_on_in_a_new_file(tmp_path):
  path = tmp_path / "train.csv"
  Logs(tmp_path, 0).train(10, MEANS, 1.0)
  path.write_text(path.read_text() + "\n")  # a blank line is no row
  logs = Logs(tmp_path, 10)
  for step in (20, 30):
    logs.train(step, MEANS | {"ms_ssim": 0.5}, 1.0)
  old, new = rows(tmp_path / "train-before-20.csv"), rows(path)
  assert [row["step"] for row in old] == ["10"] and "ms_ssim" not in old[0]
  assert [(row["step"], row["ms_ssim"]) for row in new] == [
    ("20", "0.5"),
    ("30", "0.5"),
  ]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "train.csv").symlink_to("/dev/full")
  with pytest.raises(JaxlicError, match="train.csv: cannot write .No space"):
    Logs(tmp_path, 0).train(10, MEANS, 1.0)


def test_what_is_flushed_can_be_read_while_the_run_goes_on(tmp_path):
  logs = Logs(tmp_path, 0)
  logs.train(10, MEANS, 3.0)
  for _ in range(100):  # a thread of its own takes up the values
    logs.flush()
    if ("train/loss", 10, 1.5) in list(events(tmp_path)):
      break
    time.sleep(0.05)
  else:
    raise AssertionError("not on disk after 5 seconds")
  logs.close()


def test_a_silent_process_writes_nothing(tmp_path, capsys):
  logs = Logs(tmp_path, 0, silent=True)
  logs.train(10, MEANS, 1.0)
  logs.evaluation(10, [POINT])
  logs.say("a line")
  logs.close()
  assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""
