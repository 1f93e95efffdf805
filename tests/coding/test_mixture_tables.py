from statistics import NormalDist

import numpy as np
import pytest

from jaxlic.coding import mixture_tables
from jaxlic.errors import JaxlicError

SCALES = [0.11, 0.5, 1.0, 256.0]
TABLES = mixture_tables.make(SCALES)


def test_the_normal_function_is_the_known_one():
  x = np.arange(-6 * 256, 6 * 256 + 1) / 256
  known = [NormalDist().cdf(z) for z in x]
  # Rounded to 2^-30, and the mass of 1e-9 outside is taken away.
  np.testing.assert_allclose(TABLES.cdf / 2**30, known, atol=1.5e-9)


def test_reciprocals_are_those_of_the_scales():
  np.testing.assert_allclose(2**24 / TABLES.reciprocals, SCALES, rtol=1e-5)


def test_centres_are_the_middles_of_their_cells():
  for centres in TABLES.centres:
    # Three units, since cells may cross the halves.
    place = np.arange(-96, 96) / 64
    unit = np.repeat([-1, 0, 1], 64)
    whole = np.tile(centres, 3) / 4096 + unit
    assert (np.diff(whole) >= 0).all()
    for centre in np.unique(whole[64:128]):
      # 1/4096 is the resolution.
      assert abs(centre - place[whole == centre].mean()) <= 0.5 / 4096


def test_cells_are_narrow_where_the_mean_matters():
  # The scale 0.11 knows a mean near a half to 1/64, near an integer to 1/6.
  edges = [np.diff(np.append(c, c[0] + 4096)) > 0 for c in TABLES.centres]
  assert edges[0][:4].sum() == 3 and edges[0][26:38].sum() <= 2
  # Others have cells of about a tenth of the scale, and one per unit at most.
  assert [int(e.sum()) for e in edges[2:]] == [10, 1]


def test_weights_are_exponentials():
  weights = TABLES.weights.astype(float)
  exact = 2**24 * np.exp((np.arange(97) - 96) / 8)
  assert weights[0] == 0 and weights[-1] == 2**24
  # A cell of the weight w has half the width w^(-1/3) / 16 nats; that of the
  # heaviest 3 nats is at most a sixth.
  heavy = slice(72, None)
  np.testing.assert_allclose(weights[heavy], exact[heavy], rtol=1 / 6)
  # What weighs 2^-12 and more always counts.
  assert weights[exact >= 2**12].min() > 0


def test_tables_survive_saving():
  arrays = mixture_tables.to_arrays(TABLES)
  loaded = mixture_tables.from_arrays(dict(reversed(arrays.items())))
  for a, b in zip(loaded, TABLES, strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    ({"cdf": TABLES.cdf.astype("i8")}, "cdf of uint32"),
    ({"cdf": TABLES.cdf[:-1]}, "cdf of uint32"),
    ({"cdf": TABLES.cdf[::-1]}, "cdf rising 0"),
    ({"reciprocals": TABLES.reciprocals[:3]}, "centres of int32"),
    ({"reciprocals": 0 * TABLES.reciprocals}, "reciprocals within 1"),
    ({"centres": TABLES.centres + 2**14}, "centres within"),
    ({"weights": TABLES.weights // 2}, "weights rising 0"),
  ],
)
def test_damaged_tables_are_refused(changes, match):
  with pytest.raises(JaxlicError, match=match):
    mixture_tables.validate(TABLES._replace(**changes))


def test_a_missing_array_is_named():
  arrays = TABLES._asdict()
  del arrays["weights"]
  with pytest.raises(JaxlicError, match=r"\['weights'\]"):
    mixture_tables.from_arrays(arrays)
