"""Pillow in a process of its own, whose settings and stderr are nobody else's.

libtiff prints what it reports to the standard error of the whole process, and
Pillow's switch for truncated images is one for all threads. Run as a script,
this module decodes the file on its standard input. It imports Pillow alone, as
a start takes some 70 ms.
"""

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# What ends a decoder that a file leads astray, and no lack of anything.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE}
# What PNG holds; TIFF takes the other modes.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")


class ProcessError(OSError):
  """The process could not start, or was stopped: no damage of the file."""


class Decoded(NamedTuple):
  """What the process wrote."""

  data: bytes
  reports: tuple[str, ...]  # lines of its standard error


def tiff_samples(data: bytes) -> Decoded:
  """Returns the samples in a TIFF file as `tobytes` has them, not yet upright.

  Where libtiff reports an error they are those that it had by then.

  Raises:
    ProcessError: If there is no process.
    ValueError: If the file makes it crash.
  """
  return _run("samples", data)


def whole(data: bytes) -> Decoded:
  """Returns a cut or broken image as PNG or TIFF, its missing samples black.

  As it is stored, not yet upright; empty if nothing can be decoded.

  Raises:
    ProcessError: If there is no process.
    ValueError: If the file makes it crash.
  """
  return _run("whole", data)


def _run(task: str, data: bytes) -> Decoded:
  import PIL

  root = str(Path(PIL.__file__).parent.parent)
  # Neither the environment nor site-packages have a say in it.
  command = [sys.executable, "-ISWignore", __file__, root, task]
  try:
    done = subprocess.run(command, input=data, capture_output=True)
  except (OSError, subprocess.SubprocessError) as error:
    raise _no_process(str(error)) from error
  if -done.returncode in _CRASHES:
    raise ValueError(f"its decoder crashed, signal {-done.returncode}")
  if done.returncode:
    raise _no_process(f"it ended with {done.returncode}")
  lines = done.stderr.decode(errors="replace").splitlines()
  lines = [line.strip().removeprefix("tempfile.tif: ") for line in lines]
  return Decoded(done.stdout, tuple(filter(None, lines)))


def _no_process(reason: str) -> ProcessError:
  text = (
    f"cannot decode in a process of its own ({reason}); raise the limits on"
    " processes and memory"
  )
  return ProcessError(None, text, sys.executable or "Python")


def _main(root: str, task: str) -> None:
  """Decodes standard input to standard output."""
  sys.path.append(root)
  from PIL import Image, ImageFile

  ImageFile.LOAD_TRUNCATED_IMAGES = task == "whole"
  out = io.BytesIO()
  try:
    image = Image.open(io.BytesIO(sys.stdin.buffer.read()))
    if image.format == "TIFF":
      image.load_end = lambda: None  # it would turn them upright, as of 13.0
    try:
      image.load()
    finally:
      if task == "samples":
        out.write(image._new(image.im).tobytes())  # of the stored size
    if task == "whole":
      kind = "PNG" if image.mode in _PNG_MODES else "TIFF"
      image.copy().save(out, kind, compress_level=1)
  except MemoryError:
    raise
  except Exception as error:  # each plugin raises its own kinds
    print(error, file=sys.stderr)
  sys.stdout.buffer.write(out.getvalue())


if __name__ == "__main__":
  _main(*sys.argv[1:])
