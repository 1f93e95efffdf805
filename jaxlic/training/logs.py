"""What a training tells while it goes on: console, CSV, TensorBoard.

| file | holds |
|---|---|
| train.csv | a row per window of steps: the means of its metrics |
| eval.csv | a row per evaluation and quality |
| tensorboard/ | both as scalars, and reconstructed photographs |

A resumed run goes on in the same files; rows after its checkpoint are dropped,
since those steps are taken again.
"""

import contextlib
import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tensorboardX import SummaryWriter
from tqdm import tqdm

from jaxlic.data import output
from jaxlic.errors import JaxlicError


class Logs:
  """The logs of one run.

  Args:
    folder: The run's directory.
    start: The step from which it goes on.
    silent: Whether this process writes nothing, since another does.
  """

  def __init__(self, folder: Path, start: int, *, silent: bool = False):
    self._silent, self._folder = silent, folder
    if silent:
      return
    self._tables = {
      name: Table(folder / f"{name}.csv", start) for name in ("train", "eval")
    }
    self._board = SummaryWriter(
      str(folder / "tensorboard"), purge_step=start + 1
    )

  def train(self, step: int, means: dict[str, float], speed: float) -> None:
    """Tells the means of a window's metrics, and its steps per second."""
    if self._silent:
      return
    first = {name: means[name] for name in ("loss", "bpp", "psnr_db")}
    self._tables["train"].add({"step": step} | first | means)
    for name, value in (means | {"steps_per_second": speed}).items():
      self._scalar(f"train/{name}", value, step)
    self.say(progress_line(step, means, speed))

  def evaluation(
    self,
    step: int,
    points: list[dict[str, float]],
    pictures: Sequence[UInt8[np.ndarray, "H W 3"]] = (),
  ) -> None:
    """Tells the held-out results, a point per quality, and shows pictures."""
    if self._silent:
      return
    for point in points:
      first = {name: point[name] for name in ("quality", "loss", "bpp")}
      self._tables["eval"].add({"step": step} | first | point)
      quality = f"{point['quality']:g}"
      for name in point.keys() - {"quality"}:
        self._scalar(f"eval/{name}/quality_{quality}", point[name], step)
      self.say(evaluation_line(step, point))
    for i, picture in enumerate(pictures):
      self._board.add_image(f"eval/{i}", picture, step, dataformats="HWC")

  def _scalar(self, tag: str, value: float | int, step: int) -> None:
    if math.isfinite(value):  # TensorBoard draws no others
      self._board.add_scalar(tag, value, step)

  def say(self, line: str) -> None:
    """Prints a line above the progress bar."""
    if not self._silent:
      tqdm.write(line)

  def flush(self) -> None:
    """Writes what is still in memory."""
    if not self._silent:
      with _writing(self._folder / "tensorboard"):
        self._board.flush()

  def close(self) -> None:
    """Writes what is still in memory, for the last time."""
    if not self._silent:
      with _writing(self._folder / "tensorboard"):
        self._board.close()


class Table:
  """A CSV file whose first column is a step, with a header of its columns.

  Where a run goes on with other columns, the file so far is renamed, after the
  first step that it lacks.
  """

  def __init__(self, path: Path, start: int):
    self._path, self._header = path, None
    if path.is_file():
      kept = _rows_until(path.read_text(), start)
      output.write_bytes(path, kept.encode())
      self._header = kept.partition("\n")[0]

  def add(self, row: dict[str, Any]) -> None:
    """Appends a row.

    Raises:
      JaxlicError: If the file cannot be written.
    """
    header, values = _csv_line(row), _csv_line(row.values())
    with _writing(self._path):
      if self._header and self._header != header:
        old = f"{self._path.stem}-before-{row['step']}.csv"
        self._path.replace(self._path.with_name(old))
      new = not self._header or self._header != header
      with open(self._path, "a") as file:
        file.write(f"{header}\n{values}\n" if new else f"{values}\n")
      self._header = header


def progress_line(step: int, means: dict[str, float], speed: float) -> str:
  """Returns one line on a window of steps."""
  return (
    f"step {step}  loss {means['loss']:.4f}  bpp {means['bpp']:.4f}  "
    f"psnr {means['psnr_db']:.2f} dB  grad {means['gradient_norm']:.2f}  "
    f"skipped {means['skipped']:.0f}  {speed:.2f} steps/s"
  )


def evaluation_line(step: int, point: dict[str, float]) -> str:
  """Returns one line on a held-out result."""
  return (
    f"eval {step}  quality {point['quality']:g}  loss {point['loss']:.4f}  "
    f"bpp {point['bpp']:.4f}  psnr {point['psnr_db']:.2f} dB"
  )


def _rows_until(text: str, start: int) -> str:
  """The header, and the whole rows up to a step."""
  lines = text.splitlines(keepends=True)
  whole = [line for line in lines if line.endswith("\n")]
  steps = [line.partition(",")[0] for line in whole]
  rows = [
    line
    for line, step in zip(whole, steps, strict=True)
    if step.isdecimal() and int(step) <= start
  ]
  return "".join(whole[:1] + rows)


def _csv_line(values: Iterable[Any]) -> str:
  buffer = io.StringIO()
  csv.writer(buffer, lineterminator="").writerow(values)
  return buffer.getvalue()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
  """Tells which file it was that could not be written."""
  try:
    yield
  except OSError as error:
    raise JaxlicError(
      f"{path}: cannot write ({error.strerror}); free some space and start "
      "again"
    ) from error
