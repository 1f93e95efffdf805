"""Pillow in a process of its own, whose settings and stderr are nobody else's.

libtiff prints what it reports to the standard error of the whole process, and
Pillow's switch for truncated images is one for all threads. Run as a script,
this module decodes the file on its standard input. It imports Pillow alone, as
a start takes some 70 ms.
"""

import io
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Decoded(NamedTuple):
  """What the process wrote."""

  data: bytes
  reports: tuple[str, ...]  # lines of its standard error


def tiff_samples(data: bytes) -> Decoded:
  """Returns the samples in a TIFF file as `tobytes` has them, not yet upright.

  Where libtiff reports an error they are those that it had by then.
  """
  return _run("samples", data)


def whole_png(data: bytes) -> Decoded:
  """Returns a cut or broken image as a PNG, its missing samples black.

  The PNG is empty if nothing can be decoded, or in modes that it does not know.
  """
  return _run("png", data)


def _run(task: str, data: bytes) -> Decoded:
  import PIL

  root = str(Path(PIL.__file__).parent.parent)
  # Neither the environment nor site-packages have a say in it.
  command = [sys.executable, "-ISWignore", __file__, root, task]
  done = subprocess.run(command, input=data, capture_output=True)
  lines = done.stderr.decode(errors="replace").splitlines()
  lines = [line.strip().removeprefix("tempfile.tif: ") for line in lines]
  return Decoded(done.stdout, tuple(filter(None, lines)))


def _main(root: str, task: str) -> None:
  """Decodes standard input to standard output."""
  sys.path.append(root)
  from PIL import Image, ImageFile

  ImageFile.LOAD_TRUNCATED_IMAGES = task == "png"
  out = io.BytesIO()
  try:
    image = Image.open(io.BytesIO(sys.stdin.buffer.read()))
    if task == "samples":
      image.load_end = lambda: None  # it would turn them upright
    try:
      image.load()
    finally:
      if task == "samples":
        out.write(image._new(image.im).tobytes())  # of the stored size
    if task == "png":
      exif = image.info.get("exif")
      image.save(out, "PNG", exif=exif, compress_level=1)
  except Exception as error:  # each plugin raises its own kinds
    print(error, file=sys.stderr)
  sys.stdout.buffer.write(out.getvalue())


if __name__ == "__main__":
  _main(*sys.argv[1:])
