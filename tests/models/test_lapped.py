"""What lapped's options change, and what the next release may cost."""

import jax
import numpy as np
import pytest

from configs import lapped as config
from jaxlic import codec, models, training
from jaxlic.errors import JaxlicError
from jaxlic.evaluation import complexity
from tests.conftest import TOY_OPTIONS, make_toy

SMALL = TOY_OPTIONS["lapped"]
IMAGE = np.random.default_rng(0).random((37, 50, 3), dtype=np.float32)


def start(model):
  """What training starts from, by the generator that compiles fastest."""
  return jax.jit(model.init)(jax.random.key(0, impl="unsafe_rbg"))


@pytest.mark.slow
def test_a_deeper_codec_begins_as_the_one_it_starts_from():
  _, built, params, _ = make_toy("lapped")
  deep = models.make(
    "lapped", synthesis_blocks=(3, 4, 4), analysis_blocks=(2, 2), **SMALL
  )
  grown = training.fitting(start(deep), params)
  leaves = len(jax.tree.leaves(grown)) - len(jax.tree.leaves(params))
  assert leaves == 4 * (2 + 4)  # two kernels and biases a block
  before = built.evaluate(params, IMAGE, 1.5)
  after = codec.make(deep).evaluate(grown, IMAGE, 1.5)
  # The same sums, but for what another program fuses.
  np.testing.assert_allclose(before.image, after.image, atol=1e-6)
  for name, bits in before.bits.items():
    np.testing.assert_allclose(bits, after.bits[name], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
  "options",
  [
    {"reach": 5, "two_pass": 3},
    {"predict_width": 7, "predict_layers": 2},
    {"analysis_widths": (5, 8), "synthesis_widths": (9, 7, 5)},
    {"surrogate": "straight"},
  ],
)
def test_files_decode_to_what_is_evaluated_at_any_shape(options):
  model = models.make("lapped", **SMALL | options)
  built, params = codec.make(model), start(model)
  tables = built.freeze(params)
  data = built.encode(params, tables, IMAGE, 2.0)
  decoded = built.decode(params, tables, data)
  np.testing.assert_array_equal(
    decoded, built.evaluate(params, IMAGE, 2.0).image
  )


def test_an_unknown_surrogate_is_refused():
  with pytest.raises(JaxlicError, match="one of mixed, straight, got 'noise'"):
    models.make("lapped", surrogate="noise")


def test_the_next_release_fits_its_bounds():
  options = config.get_config().model.options
  cost = complexity.measure(models.make("lapped", **options))
  assert cost.decode_kmac <= 50
  assert 2 * cost.parameters <= 15 * 2**20  # bytes in half precision
