"""A seed begins a training where it always did."""

import jax
import numpy as np
import pytest

from jaxlic import models
from tests.conftest import TOY_OPTIONS, slow

# Of version 0.1.0; balle2017 is newer, and LVQAC predicted A then.
THEN = {
  "lvqac-cheng2020": {"companding": "hyper"},
  "lvqac-minnen2018": {"companding": "hyper"},
}
NORMS = {
  "balle2017": 41.8721,
  "bmshj2018-factorized": 48.2142,
  "bmshj2018-factorized-relu": 46.851,
  "bmshj2018-hyperprior": 44.2927,
  "cheng2020-anchor": 59.8731,
  "cheng2020-anchor-checkerboard": 59.8731,
  "cheng2020-attn": 68.9665,
  "cui2021": 67.7579,
  "elic2022": 67.7479,
  "gained": 48.5165,
  "lapped": 70.3882,
  "lvqac-cheng2020": 60.961,
  "lvqac-minnen2018": 49.7064,
  "mbt2018": 48.3513,
  "mbt2018-checkerboard": 48.3513,
  "mbt2018-mean": 45.0313,
  "ms2020": 49.7918,
  "scgain": 54.0243,
  "theis2017": 41.5843,
  "theis2017-mixture": 36.1387,
  "theis2017-scaled": 41.5843,
}
FAST = {"lapped", "ms2020", "bmshj2018-hyperprior"}


def weighted_norm(params):
  """A norm in which parameters weigh 1 to 7 in turn, so that places count."""
  squares = 0.0
  for leaf in jax.tree.leaves(params):
    flat = np.asarray(leaf, np.float64).ravel()
    squares += (flat**2 * (1 + np.arange(flat.size) % 7)).sum()
  return np.sqrt(squares)


@pytest.mark.parametrize("name", [n if n in FAST else slow(n) for n in NORMS])
def test_initial_weights_of_a_seed_stay(name):
  options = TOY_OPTIONS[name] | THEN.get(name, {})
  init = jax.jit(models.make(name, **options).init)
  params = init(jax.random.key(0))
  # NORMS has six digits.
  np.testing.assert_allclose(weighted_norm(params), NORMS[name], rtol=1e-5)


def test_every_model_has_one():
  assert set(NORMS) == set(models.MODELS)
