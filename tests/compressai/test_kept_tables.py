import numpy as np
import pytest

from jaxlic.compressai import convert, layouts, tables
from jaxlic.errors import JaxlicError
from tests.compressai.fixture_files import state, updated_state


@pytest.mark.parametrize("name", ["mbt2018", "elic2022"])
def test_kept_tables_are_those_of_the_checkpoint(name):
  weights = updated_state(name)
  kept = convert.convert(weights, keep_tables=True).tables
  for stage, source in layouts.find(name, weights).tables.items():
    written = tables.write(kept[stage])
    for buffer, array in written.items():
      np.testing.assert_array_equal(array, weights[f"{source}.{buffer}"])


def test_the_groups_of_elic_share_their_tables():
  for weights in (state("elic2022"), updated_state("elic2022")):
    kept = convert.convert(weights, keep_tables=True).tables
    assert list(kept) == ["z", "y0", "y1", "y2"]
    assert len({id(tables) for tables in kept.values()}) == 2


def test_a_checkpoint_without_tables_keeps_those_it_would_have():
  weights = updated_state("bmshj2018-hyperprior")
  empty = {
    key: array[:0] if key.endswith(convert._BUFFERS) else array
    for key, array in weights.items()
  }
  kept, anew = (
    convert.convert(state, keep_tables=True).tables
    for state in (weights, empty)
  )
  for stage, table in anew.items():
    for array, expected in zip(table, kept[stage], strict=True):
      np.testing.assert_array_equal(array, expected, strict=True)


@pytest.mark.parametrize(
  ("buffer", "change", "rule"),
  [
    ("_quantized_cdf", lambda a: a[:, :-1], "row 63 does not"),
    ("scale_table", lambda a: 2 * a, "from 0.11 to 256, got 0.22 to 512"),
    ("scale_table", lambda a: a[1:], "from 0.11 to 256, got 0.12"),
  ],
)
def test_tables_of_another_kind_are_refused(buffer, change, rule):
  weights = updated_state("mbt2018-mean")
  key = f"gaussian_conditional.{buffer}"
  with pytest.raises(JaxlicError, match=rule):
    convert.convert(weights | {key: change(weights[key])}, keep_tables=True)
  convert.convert(weights | {key: change(weights[key])})


def test_too_few_tables_are_refused():
  weights = updated_state("mbt2018-mean")
  fewer = {
    key: array[1:] if key.split(".")[-1] in tables.BUFFERS else array
    for key, array in weights.items()
  }
  with pytest.raises(JaxlicError, match="bottleneck has 6 tables, got 5; imp"):
    convert.convert(fewer, keep_tables=True)
