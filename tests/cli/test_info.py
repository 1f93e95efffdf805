import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from jaxlic import zoo
from jaxlic.coding import container
from tests.cli.conftest import process

GOLDEN = Path(__file__).parents[1] / "golden"
MAKE, ISO = ExifTags.Base.Make, ExifTags.Base.ISOSpeedRatings
EXPOSURE = ExifTags.Base.ExposureTime


def exif_of(values):
  """EXIF with these values, those that belong there in its Exif IFD."""
  exif = Image.Exif()
  for tag, value in values.items():
    (exif if tag == MAKE else exif.get_ifd(ExifTags.IFD.Exif))[tag] = value
  return exif.tobytes(8).removeprefix(b"Exif\0\0")


def test_info_shows_every_field(run, model, jlic, tmp_path):
  path = tmp_path / "a.jlic"
  path.write_bytes(jlic)
  b = container.unpack(jlic)
  fields = json.loads(run("info", path, "--json"))
  assert fields == {
    "version": b.version,
    "model": "tiny",
    "fingerprint": f"{zoo.load(model).fingerprint:#010x}",
    "width": 48,
    "height": 48,
    "quality": 5.0,
    "grey": False,
    "icc_profile_bytes": 0,
    "exif_bytes": 0,
    "xmp_bytes": 0,
    "check": f"{b.payload.check:#06x}",
    "payload_bytes": len(b.payload.data),
    "file_bytes": len(jlic),
    "bpp": len(jlic) * 8 / 48**2,
  }
  lines = run("info", path).splitlines()
  heads = [name.replace("_", " ") for name in fields]
  assert [line[: len(h)] for line, h in zip(lines, heads, strict=True)] == heads


def test_info_shows_what_exif_says_of_the_camera(run):
  # The EXIF of the golden file was made of these values.
  path = GOLDEN / "v2-lapped-1-colour.jlic"
  b = container.unpack(path.read_bytes())
  fields = json.loads(run("info", path, "--json"))
  expected = {
    "exif_bytes": len(b.exif),
    "xmp_bytes": len(b.xmp),
    "camera_make": "jaxlic",
    "camera_model": "Golden 2",
    "taken": "2026:11:27 12:34:56",
    "exposure_s": 1 / 250,
    "f_number": 2.8,
    "iso": 200.0,
    "gps": True,
    "check": f"{b.payload.check:#010x}",
  }
  assert {name: fields[name] for name in expected} == expected
  lines = run("info", path).splitlines()
  assert len(lines) == len(fields)
  assert "exposure s        0.004" in lines


@pytest.mark.parametrize(
  ("exif", "shown"),
  [
    (b"", {"gps": False}),
    (b"no TIFF structure", {"exif": "damaged"}),
    (exif_of({MAKE: "A\nB\x1b[31m"}), {"camera_make": "A\nB\x1b[31m"}),
    (exif_of({MAKE: 7, EXPOSURE: "x", ISO: ()}), {"camera_make": "7"}),
    (exif_of({EXPOSURE: IFDRational(1, 0)}), {"gps": False}),
  ],
  ids=["empty", "junk", "control characters", "other types", "infinite"],
)
def test_info_shows_as_much_as_it_can_read(run, jlic, tmp_path, exif, shown):
  changed = dataclasses.replace(container.unpack(jlic), version=2, exif=exif)
  path = tmp_path / "a.jlic"
  path.write_bytes(container.pack(changed))
  fields = json.loads(run("info", path, "--json"))
  camera = {"camera_make", "exposure_s", "iso", "exif"} & set(fields)
  assert {name: fields[name] for name in shown} == shown
  assert camera <= set(shown)
  lines = run("info", path).splitlines()
  assert len(lines) == len(fields) and "\x1b" not in "".join(lines)


def test_info_does_not_import_jax(jlic, tmp_path):
  (tmp_path / "a.jlic").write_bytes(jlic)
  program = (
    "import sys; from jaxlic import cli; "
    "code = cli.main(['info', sys.argv[1]]); "
    "sys.exit(code or 'jax' in sys.modules)"
  )
  done = process("-c", program, tmp_path / "a.jlic", stdout=subprocess.PIPE)
  assert (done.returncode, done.stderr) == (0, "")
