import pytest

from jaxlic.errors import JaxlicError, explain


def test_what_a_user_can_mend_is_one_line():
  assert explain(JaxlicError("a\n  b")) == "a b"
  assert explain(OSError()) == "files: OSError; check it"
  full = OSError(28, "No space left on device", "a/b")
  assert explain(full) == "a/b: No space left on device; check it"
  assert explain(OSError(2, "gone", "a\nb")) == "a b: gone; check it"


@pytest.mark.parametrize(
  "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 1 GB")]
)
def test_a_lack_of_memory_names_what_takes_less(error):
  assert explain(error).startswith("not enough memory; scale or crop the image")


@pytest.mark.parametrize("error", [KeyError("a"), RuntimeError("a")])
def test_a_bug_is_not_explained(error):
  assert explain(error) is None


def test_a_bug_is_none_of_the_devices_where_these_are_found(monkeypatch):
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  assert explain(RuntimeError("a")) is None
