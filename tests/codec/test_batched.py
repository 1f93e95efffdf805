"""Batches as functions that JAX transforms, and their files."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic.coding import range_coder
from jaxlic.errors import JaxlicError
from jaxlic.types import Coded, Quality
from tests.codec.test_codec import _photo
from tests.conftest import make_toy, slow

SIZE = (33, 49)


def _batch(model, count=2):
  """Photographs, and qualities of which one lies between levels."""
  images = np.stack([_photo(*SIZE, seed=seed) for seed in range(count)])
  top = model.spec.max_quality
  return images, np.linspace(0, 0.4 * top, count).astype(np.float32)


def test_a_batch_has_the_files_of_its_images(toy):
  model, built, params, tables = toy
  images, quality = _batch(model)
  symbols = built.quantize(params, images, quality)
  payloads = built.push(tables, symbols, quality, SIZE)
  expected = [
    built.encode(params, tables, image, float(q))
    for image, q in zip(images, quality, strict=True)
  ]
  # Compiled otherwise; on a CPU no symbol or row of these differs.
  assert payloads == expected


def test_a_batch_is_reconstructed_from_its_files(toy):
  model, built, params, tables = toy
  images, quality = _batch(model)
  symbols = built.quantize(params, images, quality)
  payloads = built.push(tables, symbols, quality, SIZE)
  popped = built.pop(params, tables, payloads)
  for name, coded in symbols.items():
    np.testing.assert_array_equal(popped[name].symbols, coded.symbols)
  shown = built.reconstruct(params, popped, quality, SIZE)
  decoded = [built.decode(params, tables, payload) for payload in payloads]
  # A hundredth of 1/255: the last bits of a network compiled otherwise.
  np.testing.assert_allclose(shown, np.stack(decoded), atol=4e-5)


@pytest.mark.parametrize("name", [slow("lapped"), "mbt2018-checkerboard"])
def test_evaluation_takes_jit_and_shows_what_the_host_does(name):
  model, built, params, _ = make_toy(name)
  images, quality = _batch(model)
  traced = jax.jit(built.evaluate)(params, images[1], quality[1])
  shown = built.evaluate(params, images[1], float(quality[1]))
  np.testing.assert_allclose(traced.image, shown.image, atol=4e-5)
  assert set(traced.bits) == set(shown.bits)
  for name, bits in shown.bits.items():
    np.testing.assert_allclose(traced.bits[name], bits, rtol=1e-4)


@pytest.mark.parametrize("name", [slow("lapped"), "mbt2018-checkerboard"])
def test_mapped_functions_give_what_batches_do(name):
  model, built, params, _ = make_toy(name)
  images, quality = _batch(model)

  def quantize(image, quality):
    symbols = built.quantize(params, image[None], quality[None])
    return jax.tree.map(lambda array: array[0], symbols)

  mapped = jax.jit(jax.vmap(quantize))(images, quality)
  together = built.quantize(params, images, quality)
  assert jax.tree.structure(mapped) == jax.tree.structure(together)
  for name, coded in together.items():
    np.testing.assert_array_equal(mapped[name].symbols, coded.symbols)
  bits = jax.vmap(lambda i, q: built.evaluate(params, i, q).bits)
  alone = built.evaluate(params, images[1], float(quality[1])).bits
  for name, cost in bits(images, quality).items():
    np.testing.assert_allclose(cost[1], alone[name], rtol=1e-4)


@pytest.mark.slow
def test_a_quality_map_is_one_of_a_batch():
  _, built, params, tables = make_toy("scgain")
  images = np.stack([_photo(*SIZE, seed=seed) for seed in range(2)])
  maps = np.stack([np.full(SIZE, 0.2), _photo(*SIZE)[..., 0]]).astype("f4")
  quality = np.array([1.0, 2.5], np.float32)
  symbols = built.quantize(params, images, quality, maps)
  payloads = built.push(tables, symbols, quality, SIZE)
  one = built.encode(params, tables, images[1], 2.5, maps[1])
  assert payloads[1] == one
  plain = built.push(
    tables, built.quantize(params, images, quality), quality, SIZE
  )
  assert plain[1] != one


def test_qualities_that_are_traced_are_those_of_files():
  _, built, params, _ = make_toy("lapped")
  images, _ = _batch(make_toy("lapped")[0])
  # 1.70001 is 6963.24 steps of 1/4096, 9 is above the best level.
  quality = np.array([1.70001, 9.0], np.float32)
  traced = jax.jit(built.quantize)(params, images, quality)
  held = np.array([6963 / 4096, 6.0], np.float32)
  expected = built.quantize(params, images, held)
  for name, coded in expected.items():
    np.testing.assert_array_equal(traced[name].symbols, coded.symbols)


@pytest.mark.parametrize(
  "name", [slow("lapped"), "mbt2018-mean", slow("cheng2020-anchor")]
)
def test_apply_takes_forward_mode(name):
  model, built, params, _ = make_toy(name)
  images = jnp.asarray(np.stack([_photo(64, 64, seed=k) for k in range(2)]))
  keys = jax.random.split(jax.random.key(0), 2)

  def loss(images):
    outcome = built.apply(params, images, Quality(jnp.zeros(2)), keys)
    return (outcome.image**2).mean()

  random = np.random.default_rng(0)
  along = jnp.asarray(random.normal(size=images.shape), jnp.float32)
  slope = jax.jit(lambda x, t: jax.jvp(loss, (x,), (t,))[1])(images, along)
  gradient = jax.jit(jax.grad(loss))(images)
  # No bound lies between the image and what is shown; sums of 24,576 terms.
  np.testing.assert_allclose(slope, (gradient * along).sum(), rtol=1e-3)


ON_EIGHT_DEVICES = """
import sys
import jax, numpy as np
from tests.conftest import make_toy
from tests.codec.test_codec import _photo

assert jax.device_count() == 8
model, built, params, tables = make_toy(sys.argv[1])
images = np.stack([_photo(64, 48, seed=seed) for seed in range(16)])
quality = np.linspace(0, model.spec.max_quality, 16).astype(np.float32)
share = lambda array: array.reshape(8, 2, *array.shape[1:])
symbols = jax.pmap(built.quantize, in_axes=(None, 0, 0))(
  params, share(images), share(quality)
)
symbols = jax.tree.map(lambda a: a.reshape(16, *a.shape[2:]), symbols)
payloads = built.push(tables, symbols, quality, (64, 48))
alone = [
  built.encode(params, tables, image, float(q))
  for image, q in zip(images, quality)
]
print("same" if payloads == alone else "other")
"""


@pytest.mark.parametrize(
  "name", ["bmshj2018-factorized", slow("mbt2018-mean"), slow("lapped")]
)
def test_eight_devices_encode_sixteen_photographs_to_the_same_bytes(name):
  flags = "--xla_force_host_platform_device_count=8"
  done = subprocess.run(
    [sys.executable, "-c", ON_EIGHT_DEVICES, name],
    env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stdout == "same\n", done.stderr


def _arguments(built, params):
  images = np.zeros((2, 64, 64, 3), np.float32)
  keys = jax.random.split(jax.random.key(0), 2)
  return images, Quality(jnp.zeros(2)), keys


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"images": np.zeros((2, 60, 64, 3), "f4")}, "multiples of .* 60 x 64; cr"),
    ({"images": np.zeros((64, 64, 3), "f4")}, r"\[b H W 3\], got float32 \["),
    ({"images": np.zeros((2, 64, 64, 3), "u1")}, "got uint8 .* divided by 255"),
    ({"images": [[[[0.0]]]]}, r"\[b H W 3\], got list \["),
    ({"quality": Quality(0.0)}, r"has a level, .* got float \[\]; write Qual"),
    ({"quality": 0.0}, r"has a level, .* got float \[\]; write Quality"),
    ({"quality": np.zeros(2, "f4")}, r"a level, Quality of .* got float32 \[2"),
    ({"quality": Quality(np.zeros(3, "f4"))}, r"got float32 \[3\]; write"),
    ({"keys": jax.random.key(0)}, r"has a key, .* write jax.random.split\(key"),
    # As long as a batch of two.
    (
      {"keys": jax.random.PRNGKey(0)},
      r"has a key, .*, got uint32 \[2\]; write",
    ),
  ],
)
def test_apply_says_what_a_batch_lacks(change, words):
  _, built, params, _ = make_toy("mbt2018-mean")
  images, quality, keys = _arguments(built, params)
  given = {"images": images, "quality": quality, "keys": keys} | change
  with pytest.raises(JaxlicError, match=words):
    built.apply(params, given["images"], given["quality"], given["keys"])


@pytest.mark.parametrize(
  ("images", "quality", "words"),
  [
    (
      (2, 8, 8, 3),
      1.0,
      r"has a quality, an array \[2\], got float \[\]; write",
    ),
    ((2, 8, 8, 3), np.ones(3, "f4"), r"got float32 \[3\]; write jnp.full\(2"),
    ((2, 8, 8, 3), np.array([1, 7.0]), "quality is a number from 0 to 6"),
    ((2, 8, 8, 3), None, r"has a quality, an array \[2\], got NoneType"),
    ((8, 8, 3), np.ones(8, "f4"), r"\[b H W 3\], got .* give one as image\["),
    ((2, 0, 8, 3), np.ones(2, "f4"), "an image has"),
  ],
)
def test_quantize_says_what_a_batch_lacks(images, quality, words):
  _, built, params, _ = make_toy("lapped")
  with pytest.raises(JaxlicError, match=words):
    built.quantize(params, np.zeros(images, np.float32), quality)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_values_that_are_not_traced_are_within_0_to_1(value):
  _, built, params, _ = make_toy("lapped")
  images = np.full((1, 8, 8, 3), value, np.float32)
  for given in (images, jnp.asarray(images)):
    with pytest.raises(JaxlicError, match="values are within 0..1"):
      built.quantize(params, given, np.zeros(1))


def test_a_map_for_a_model_without_is_refused():
  _, built, params, _ = make_toy("lapped")
  images = np.zeros((1, 8, 8, 3), np.float32)
  with pytest.raises(JaxlicError, match="takes no quality map"):
    built.quantize(params, images, np.zeros(1), images[..., 0])
  _, built, params, _ = make_toy("scgain")
  with pytest.raises(JaxlicError, match="a number per pixel, .* resize them"):
    built.quantize(params, images, np.zeros(1), images[0, ..., 0])


def test_symbols_of_another_size_are_refused():
  _, built, params, tables = make_toy("mbt2018-mean")
  images = np.zeros((1, 64, 64, 3), np.float32)
  symbols = built.quantize(params, images)
  for size in ((64, 80), (65, 64)):
    with pytest.raises(JaxlicError, match=r"positions of . *y|positions of z"):
      built.push(tables, symbols, None, size)
    with pytest.raises(JaxlicError, match="the size of the images"):
      built.reconstruct(params, symbols, None, size)
  with pytest.raises(JaxlicError, match="symbols of z, y, got z; give"):
    built.reconstruct(params, {"z": symbols["z"]}, None, (64, 64))


@pytest.mark.parametrize(
  ("changed", "match"),
  [
    (
      np.zeros((1, 4, 4, 8), np.int32),
      r"Coded of integers, y has int32 \[1, 4",
    ),
    (
      Coded(np.zeros((1, 4, 4, 8), "f4")),
      "of integers, y has float32 .* of qu",
    ),
    (
      Coded(np.zeros((2, 4, 4, 8), np.int32)),
      "of one batch, got 1 of z and 2 of y",
    ),
  ],
)
def test_symbols_of_another_kind_or_batch_are_refused(changed, match):
  _, built, params, tables = make_toy("mbt2018-mean")
  symbols = built.quantize(params, np.zeros((1, 64, 64, 3), np.float32))
  given = symbols | {"y": changed}
  with pytest.raises(JaxlicError, match=match):
    built.reconstruct(params, given, None, (64, 64))
  with pytest.raises(JaxlicError, match=match):
    built.push(tables, given, None, (64, 64))


@pytest.mark.parametrize("size", [64, (64, 64, 3), (64.0, 64)])
def test_a_size_is_two_whole_numbers(size):
  _, built, params, _ = make_toy("mbt2018-mean")
  symbols = built.quantize(params, np.zeros((1, 64, 64, 3), np.float32))
  with pytest.raises(JaxlicError, match=r"a size is \(H, W\), got .*; write"):
    built.reconstruct(params, symbols, None, size)


@pytest.mark.parametrize("transform", [lambda function: function, jax.jit])
def test_evaluation_says_that_it_takes_one_image(transform):
  _, built, params, _ = make_toy("mbt2018-mean")
  images = np.zeros((2, 8, 8, 3), np.float32)
  match = r"an image is \[H W 3\], got float32 \[2, 8, 8, 3\]; take one of a b"
  with pytest.raises(JaxlicError, match=match):
    transform(built.evaluate)(params, images)


def test_a_quality_that_is_not_traced_is_judged_where_others_are():
  _, built, params, _ = make_toy("lapped")
  shown = jax.jit(lambda image: built.evaluate(params, image, 9.0).image)
  with pytest.raises(JaxlicError, match="quality is a number from 0 to 6"):
    shown(np.zeros((8, 8, 3), np.float32))


def test_what_was_popped_has_no_rows_to_push():
  _, built, params, tables = make_toy("bmshj2018-factorized")
  images = np.zeros((1, 16, 16, 3), np.float32)
  payloads = built.push(tables, built.quantize(params, images), None, (16, 16))
  popped = built.pop(params, tables, payloads)
  assert popped["y"].rows is None
  with pytest.raises(JaxlicError, match="pushed with their rows"):
    built.push(tables, popped, None, (16, 16))
  wide = payloads[0]._replace(width=32)
  with pytest.raises(JaxlicError, match="images of one size, got 2 sizes"):
    built.pop(params, tables, [payloads[0], wide])


def test_the_host_may_change_symbols_before_they_are_pushed():
  # What a search at encode time does.
  _, built, params, tables = make_toy("bmshj2018-factorized")
  images = np.stack([_photo(32, 32)])
  symbols = built.quantize(params, images)
  changed = np.array(symbols["y"].symbols)
  changed[0, 1, 1, 2] += 1
  given = {"y": symbols["y"]._replace(symbols=changed)}
  (payload,) = built.push(tables, given, None, (32, 32))
  assert payload.check == range_coder.check([changed])
  popped = built.pop(params, tables, [payload])
  np.testing.assert_array_equal(popped["y"].symbols, changed)
  shown = built.reconstruct(params, {"y": Coded(changed)}, None, (32, 32))
  decoded = built.decode(params, tables, payload)
  np.testing.assert_allclose(shown[0], decoded, atol=4e-5)
