import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import zoo
from jaxlic.codec import inputs, ordered
from jaxlic.errors import JaxlicError
from jaxlic.evaluation import inside
from jaxlic.quantize.companding import Companded
from jaxlic.types import Prediction
from tests.codec import test_latent_shapes
from tests.conftest import make_toy, slow

# One of each: two passes over a checkerboard and gains, no hyper latent, raster
# order, groups of channels in an order, residual prediction, a lattice with
# coset bits and companding, mixtures, positions of stride 8.
KINDS = {
  "lapped": {},
  "bmshj2018-factorized": {},
  "mbt2018": {},
  "elic2022": {},
  "ms2020": {},
  "lvqac-minnen2018": {"order": "checkerboard"},
  "cheng2020-anchor": {"components": 2, "order": "checkerboard"},
  "theis2017": {},
  "scgain": {},
}


def pixels(height, width):
  return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def look(name, image, quality=0.0, **options):
  model, built, params, _ = make_toy(name, **options)
  shown = built.evaluate(params, image / np.float32(255), quality)
  return inside.make(model)(params, image, quality), shown


@pytest.fixture(
  params=[
    name if name in ("lapped", "mbt2018", "lvqac-minnen2018") else slow(name)
    for name in KINDS
  ]
)
def looked(request):
  """Of an image of an odd size: (what is inside, what evaluation gives)."""
  return look(request.param, pixels(37, 82), **KINDS[request.param])


def test_it_adds_up_to_what_evaluation_gives(looked):
  seen, shown = looked
  np.testing.assert_array_equal(seen.image, shown.image)
  assert list(seen.stages) == list(shown.bits)
  for name, bits in shown.bits.items():
    # Sums of up to 10^4 float32, in another order.
    assert seen.stages[name].bits.sum() == pytest.approx(bits, rel=1e-5)


def test_the_map_holds_all_bits_and_padding_none(looked):
  seen, shown = looked
  bits = inside.bits_per_pixel(seen)
  assert bits.shape == (37, 82)
  assert bits.min() >= 0
  assert bits.sum() == pytest.approx(sum(shown.bits.values()), rel=1e-5)


def test_every_stage_has_arrays_of_its_positions(looked):
  seen, _ = looked
  for stage in seen.stages.values():
    positions = tuple(-(-side // stage.spec.stride) for side in (37, 82))
    assert stage.latent.shape == (*positions, stage.spec.channels)
    assert stage.y_hat.shape == stage.latent.shape
    assert stage.bits.shape == stage.symbols.shape
    assert stage.bits.shape[:2] == positions
    assert stage.symbols.dtype == np.int32


def test_rounding_errs_by_half_at_most_around_the_predicted_mean():
  seen, _ = look("mbt2018", pixels(37, 82))
  y = seen.stages["y"]
  assert isinstance(y.known, Prediction)
  np.testing.assert_allclose(y.y_hat, y.symbols + y.known.mean, atol=1e-5)
  assert 0.4 < np.abs(y.latent - y.y_hat).max() <= 0.5 + 1e-5


def test_groups_lie_where_their_positions_are():
  # What refines all positions at once, given what is decoded, predicts the same
  # but for rounding errors; a transposed or shifted grid does not.
  image = pixels(37, 82)
  seen, _ = look("mbt2018", image)
  model, _, params, _ = make_toy("mbt2018")
  context = {"quality": inputs.Quality(inputs.vector(0.0))}
  grid = inputs.grid(model.spec, *image.shape[:2])
  z_stage, y_stage = model.stages
  z_hat, y_hat = (
    jnp.asarray(seen.stages[name].y_hat)[None] for name in ("z", "y")
  )
  context = z_stage.absorb(params, context, z_hat, grid)
  known = ordered.predictor(y_stage, params, context, grid)(y_hat)
  mean = seen.stages["y"].known.mean
  assert mean.std() > 0.1
  np.testing.assert_allclose(mean, known.mean[0], atol=1e-4)


def test_coset_bits_cost_a_bit_each_and_a_is_one_of_its_levels():
  seen, _ = look("lvqac-minnen2018", pixels(37, 82), order="checkerboard")
  y, a = seen.stages["y"], seen.stages["a"]
  # One block of all channels: a coset bit, then 8 integers.
  assert y.symbols.shape[-1] == 9 and y.y_hat.shape[-1] == 8
  np.testing.assert_array_equal(y.bits[..., 0], 1)
  assert set(np.unique(y.symbols[..., 0])) <= {0, 1}
  assert isinstance(y.known, Companded)
  np.testing.assert_allclose(
    np.exp(y.known.log_a), 255 ** (a.y_hat.clip(0, 7) / 7), rtol=1e-5
  )


@pytest.mark.parametrize("size", [(37, 82), (1, 1), (16, 33)])
def test_bits_are_shared_by_the_pixels_of_a_position(size):
  spec = make_toy("mbt2018")[0].stages[1].spec
  rows, columns = (-(-side // spec.stride) for side in size)
  bits = np.random.default_rng(2).random((rows, columns, 3)).astype(np.float32)
  stage = inside.StageInside(spec, bits, None, bits, bits, bits)
  found = inside.bits_per_pixel(
    inside.Inside(np.zeros((*size, 3), np.float32), {"y": stage})
  )
  for i in range(rows):
    for j in range(columns):
      square = found[i * 16 : i * 16 + 16, j * 16 : j * 16 + 16]
      np.testing.assert_allclose(square, bits[i, j].sum() / square.size)


def test_what_has_no_place_in_the_image_is_shared_by_all_pixels():
  model, built, params, _ = test_latent_shapes._toy()
  image = pixels(17, 30)
  seen = inside.make(model)(params, image)
  _, bits = built.evaluate(params, image / np.float32(255))
  weights = seen._replace(stages={"weights": seen.stages["weights"]})
  assert seen.stages["weights"].bits.shape == (5, 3)
  np.testing.assert_allclose(
    inside.bits_per_pixel(weights), bits["weights"] / (17 * 30), rtol=1e-5
  )


def test_a_loaded_codec_is_looked_into_at_any_quality(model):
  image = pixels(20, 33)
  for quality in (0.0, 2.5):
    seen = inside.inspect(model, image, quality)
    shown = model.codec.evaluate(model.params, image / np.float32(255), quality)
    np.testing.assert_array_equal(seen.image, shown.image)
  grey = inside.inspect(model, image[..., 0], 1.0)
  assert grey.image.shape == (20, 33, 3)


def test_another_quality_compiles_nothing_anew(model, caplog):
  image = pixels(5, 70)
  with jax.log_compiles():
    inside.inspect(model, image, 1.0)
    assert "ompiling" in caplog.text
    caplog.clear()
    inside.inspect(model, image, 2.0)
  assert "ompiling" not in caplog.text


def test_errors_say_what_to_do(model):
  with pytest.raises(JaxlicError, match=r"uint8 \[H W 3\].*multiply"):
    inside.inspect(model, pixels(8, 8) / 255)
  with pytest.raises(JaxlicError, match="quality is a number from 0 to 6"):
    inside.inspect(model, pixels(8, 8), 7.0)
  ensemble = model._replace(architecture=zoo.ENSEMBLE)
  with pytest.raises(JaxlicError, match="load one of its members"):
    inside.inspect(ensemble, pixels(8, 8))
