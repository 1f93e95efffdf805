import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.codec import begin, inputs
from jaxlic.coding import range_coder
from jaxlic.densities import gaussian
from jaxlic.errors import JaxlicError
from jaxlic.quantize.companding import Companded
from jaxlic.types import Payload, Quality
from tests.conftest import TOY_OPTIONS, make_toy, slow

SIZES = [slow((1, 1)), (63, 65)]


def _photo(height, width, seed=0):
  """A smooth random image with an edge and some noise, values in [0, 1]."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width] / 40
  waves = [np.sin(a * x + b * y + c) for a, b, c in rng.normal(size=(3, 3))]
  image = 0.5 + 0.25 * np.stack(waves, -1) + 0.2 * (x > y)[..., None]
  image += rng.normal(scale=0.03, size=image.shape)
  return np.clip(image, 0, 1).astype(np.float32)


def test_every_model_has_a_toy_size():
  assert set(TOY_OPTIONS) == set(models.MODELS)


@pytest.mark.parametrize(
  ("name", "size"),
  [
    slow("lapped", (17, 3)),
    slow("lapped", (130, 200)),
    slow("mbt2018-mean", (17, 3)),
    slow("mbt2018-mean", (130, 200)),
    ("mbt2018", (17, 3)),
    slow("mbt2018", (130, 200)),
  ],
)
def test_decoding_strips_and_larger_images_gives_what_evaluation_shows(
  name, size
):
  test_decoding_gives_what_evaluation_shows(make_toy(name), size)


@pytest.mark.parametrize("size", SIZES)
def test_decoding_gives_what_evaluation_shows(toy, size):
  model, built, params, tables = toy
  image = _photo(*size)
  for quality in (0.0, 1.7) if model.spec.levels else (0.0,):
    payload = built.encode(params, tables, image, quality)
    decoded = np.asarray(built.decode(params, tables, payload))
    shown, bits = built.evaluate(params, image, quality)
    assert decoded.shape == (*size, 3)
    np.testing.assert_array_equal(decoded, np.asarray(shown))
    # The estimate caps a symbol at 29.9 bits, and what is outside a table may
    # be shorter: random weights make some.
    assert 8 * len(payload.data) < 1.01 * sum(bits.values()) + 8 * 64


def test_encoding_twice_gives_the_same_bytes(toy):
  _, built, params, tables = toy
  image = _photo(*SIZES[-1])
  first = built.encode(params, tables, image, 0.0)
  assert built.encode(params, tables, image, 0.0) == first


def _counting(model, function):
  """The codec of a model, and a list of the stages that traced a function."""
  traced = []

  def counted(stage):
    def counting(*args):
      traced.append(stage.spec.name)
      return getattr(stage, function)(*args)

    return stage._replace(**{function: counting})

  stages = tuple(counted(stage) for stage in model.stages)
  return codec.make(model._replace(stages=stages)), traced


def test_first_stages_have_the_rows_that_a_claim_is_checked_by(toy):
  model, _, params, _ = toy
  stage, top = model.stages[0], model.spec.max_quality
  # Halves of the steps that scaled densities have are ties.
  for level in {min(level, top) for level in (0.0, 1 / 32, 3 / 32, 1.7)}:
    known = stage.predict(params, begin(inputs.vector(level)), (9, 5))
    rows = stage.density.rows(known)
    one = stage.density.channel_rows(level, rows.shape[-1])
    np.testing.assert_array_equal(rows, np.broadcast_to(one, rows.shape))


def test_a_claim_beyond_the_payload_is_refused_before_networks_run(toy):
  model, _, params, tables = toy
  built, ran = _counting(model, "absorb")
  claim = Payload(
    height=8192, width=8192, quality=0.0, check=0, data=b"8bytes.."
  )
  with pytest.raises(JaxlicError, match="at least [0-9]+ bytes .*, got 8: it"):
    built.decode(params, tables, claim)
  assert not ran


@pytest.mark.parametrize(
  "name", [slow("lapped"), slow("mbt2018-mean"), "mbt2018", slow("ms2020")]
)
def test_noise_depends_on_an_image_s_own_key_alone(name):
  # Else a batch would train differently on another number of devices.
  model, built, params, _ = make_toy(name)
  images = jnp.stack([_photo(32, 32), _photo(32, 32, seed=1)])
  level, keys = jnp.zeros(2), jax.random.split(jax.random.key(0), 2)
  apply = jax.jit(built.apply)
  both = apply(params, images, Quality(level), keys)
  alone = apply(params, images[:1], Quality(level[:1]), keys[:1])
  # Compiled apart: float32 sums of up to a thousand terms, perhaps in another
  # order. Other noise changes the bits by several per cent.
  assert set(both.bits) == {stage.spec.name for stage in model.stages}
  for name, bits in both.bits.items():
    np.testing.assert_allclose(bits[0], alone.bits[name][0], rtol=1e-4)
  np.testing.assert_allclose(both.image[0], alone.image[0], atol=1e-4)


def test_predict_is_traced_once_per_shape():
  model, _, params, tables = make_toy("mbt2018-mean")
  built, traces = _counting(model, "predict")
  image = _photo(40, 40)
  payload = built.encode(params, tables, image, 0.0)
  built.decode(params, tables, payload)
  built.evaluate(params, image, 0.0)
  assert sorted(traces) == ["y", "z"]


def test_a_quality_between_levels_costs_bits_between_theirs():
  _, built, params, _ = make_toy("lapped")
  image = _photo(128, 128)
  bits = [
    sum(built.evaluate(params, image, quality).bits.values())
    for quality in (0.0, 1.5, 3.0, 4.25, 6.0)
  ]
  assert bits == sorted(bits)


def test_other_weights_are_told_from_a_picture():
  _, built, params, tables = make_toy("mbt2018-mean")
  payload = built.encode(params, tables, _photo(64, 64), 0.0)
  other = jax.tree.map(lambda leaf: leaf * 1.5, params)
  with pytest.raises(JaxlicError, match="symbols do not match|damaged"):
    built.decode(other, tables, payload)


@pytest.mark.parametrize(
  ("name", "options"),
  [
    slow("lapped", {}),
    ("mbt2018-mean", {}),
    slow("lvqac-minnen2018", {"order": "checkerboard", "lattice": "E8"}),
  ],
)
def test_files_decode_where_arithmetic_differs(name, options, monkeypatch):
  # Another device is stood in for by errors of 0.004 ladder steps, and edges
  # are widened from 3e-5 to 0.005 steps, so that a small image has dozens of
  # rows that change; real devices differ by 1e-5 steps.
  monkeypatch.setattr(gaussian, "EDGE_WIDTH", 0.005)
  model, _, params, tables = make_toy(name, **options)
  built, other = codec.make(model), codec.make(_elsewhere(model))
  payload = built.encode(params, tables, _photo(200, 300), 0.0)
  here = np.asarray(built.decode(params, tables, payload))
  there = np.asarray(other.decode(params, tables, payload))
  # A quarter of 1/255; companding enlarges errors of means.
  np.testing.assert_allclose(there, here, atol=1e-3)

  unaware = _unaware(model)
  payload = codec.make(unaware).encode(params, tables, _photo(200, 300), 0.0)
  with pytest.raises(JaxlicError, match="symbols do not match|damaged"):
    codec.make(_elsewhere(unaware)).decode(params, tables, payload)


def _unaware(model):
  """The model that finds no rows near an edge."""

  def unaware(stage):
    density = stage.density
    if not density.near_edge:
      return stage
    far = functools.partial(_nowhere, density.rows)
    return stage._replace(density=density._replace(near_edge=far))

  return model._replace(stages=tuple(unaware(s) for s in model.stages))


def _nowhere(rows, known):
  return jnp.zeros_like(rows(known), bool)


def _elsewhere(model):
  """The model on a device whose scales and means differ a little."""

  def shift(x, size):
    error = jax.random.uniform(jax.random.key(0), x.shape, minval=-1)
    return x + size * error

  def shifted(known):
    if isinstance(known, Companded):
      return known._replace(inner=shifted(known.inner))
    # A ladder step is a factor of e^0.123 for predictions of scales.
    step = 0.004 if model.spec.levels else 0.004 * 0.123 * known.scale
    return known._replace(
      mean=shift(known.mean, 1e-6), scale=shift(known.scale, step)
    )

  def differs(stage):
    if stage.spec.name == "z":
      return stage
    if stage.order:
      order = stage.order._replace(refine=lambda *a: shifted(refine(*a)))
      refine = stage.order.refine
      return stage._replace(order=order)
    return stage._replace(predict=lambda *a: shifted(stage.predict(*a)))

  return model._replace(stages=tuple(differs(s) for s in model.stages))


@pytest.mark.parametrize("quality", [-0.1, 6.5, float("nan")])
def test_a_quality_out_of_range_is_refused(quality):
  _, built, params, tables = make_toy("lapped")
  with pytest.raises(JaxlicError, match="quality is a number from 0 to 6"):
    built.encode(params, tables, _photo(8, 8), quality)


def test_an_empty_image_is_refused():
  _, built, params, tables = make_toy("lapped")
  with pytest.raises(JaxlicError, match="an image has"):
    built.encode(params, tables, np.zeros((0, 4, 3), np.float32), 1.0)


def test_an_unknown_architecture_is_refused():
  with pytest.raises(
    JaxlicError, match="an architecture is one of .*got 'nosuch'"
  ):
    models.make("nosuch")


@pytest.mark.parametrize("kept_bits", [16, 32])
def test_another_check_of_the_symbols_is_refused(kept_bits):
  _, built, params, tables = make_toy("bmshj2018-factorized")
  image = np.random.default_rng(0).random((16, 16, 3), np.float32)
  payload = built.encode(params, tables, image, 0.0)
  # Files of the format's first version keep half of the bits.
  check = payload.check
  if kept_bits == 16:
    check = range_coder.fold(check)
  shown = built.decode(params, tables, payload._replace(check=check))
  np.testing.assert_array_equal(shown, built.decode(params, tables, payload))
  for bit in range(kept_bits):
    changed = payload._replace(check=check ^ 1 << bit)
    with pytest.raises(JaxlicError, match="do not match their check"):
      built.decode(params, tables, changed)


def test_a_strip_that_is_mostly_padding_is_refused_before_any_work():
  # 2^26 pixels are allowed, but as whole blocks of 16 they make 2^30.
  _, built, params, tables = make_toy("mbt2018-mean")
  claim = Payload(height=1, width=2**26, quality=0.0, check=0, data=b"")
  with pytest.raises(JaxlicError, match="in whole blocks of 16 has at most"):
    built.decode(params, tables, claim)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, -0.1])
def test_values_outside_0_to_1_are_refused(value):
  _, built, params, tables = make_toy("mbt2018-mean")
  image = np.full((4, 4, 3), value, np.float32)
  with pytest.raises(JaxlicError, match="values are within 0..1"):
    built.encode(params, tables, image, 0.0)
