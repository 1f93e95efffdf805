import json
import subprocess

from jaxlic import zoo
from jaxlic.coding import container
from tests.cli.conftest import process


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
    "check": f"{b.payload.check:#06x}",
    "payload_bytes": len(b.payload.data),
    "file_bytes": len(jlic),
    "bpp": len(jlic) * 8 / 48**2,
  }
  lines = run("info", path).splitlines()
  heads = [name.replace("_", " ") for name in fields]
  assert [line[: len(h)] for line, h in zip(lines, heads, strict=True)] == heads


def test_info_does_not_import_jax(jlic, tmp_path):
  (tmp_path / "a.jlic").write_bytes(jlic)
  program = (
    "import sys; from jaxlic import cli; "
    "code = cli.main(['info', sys.argv[1]]); "
    "sys.exit(code or 'jax' in sys.modules)"
  )
  done = process("-c", program, tmp_path / "a.jlic", stdout=subprocess.PIPE)
  assert (done.returncode, done.stderr) == (0, "")
