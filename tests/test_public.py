"""What `import jaxlic` gives."""

import pydoc
import subprocess
import sys

import jaxlic

PUBLIC = {
  "JaxlicError",
  "__version__",
  "compress",
  "compress_file",
  "compress_to",
  "decompress",
  "decompress_file",
  "load",
}
MODULES = {"codec", "entropy", "models", "pretrained", "zoo"}


def test_dir_lists_the_public_names_and_each_is_there():
  assert set(dir(jaxlic)) == PUBLIC | MODULES
  for name in dir(jaxlic):
    assert getattr(jaxlic, name) is not None


def test_a_star_imports_the_public_names():
  names = {}
  exec("from jaxlic import *", names)
  assert set(names) - {"__builtins__"} == PUBLIC


def test_help_shows_the_public_functions():
  text = pydoc.plain(pydoc.render_doc(jaxlic))
  for name in ("compress", "compress_file", "decompress", "load"):
    assert f"\n    {name}(" in text


def test_a_wrong_name_is_no_attribute_and_the_nearest_is_suggested():
  done = _program("import jaxlic; jaxlic.compres")
  error = "AttributeError: module 'jaxlic' has no attribute 'compres'"
  assert done.stderr.endswith(f"{error}. Did you mean: 'compress'?\n")


def test_dir_does_not_import_jax():
  done = _program(
    "import sys, jaxlic; dir(jaxlic); sys.exit('jax' in sys.modules)"
  )
  assert (done.returncode, done.stderr) == (0, "")


def _program(text):
  words = [sys.executable, "-c", text]
  return subprocess.run(words, capture_output=True, text=True)
