import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import codec, models
from jaxlic.errors import JaxlicError
from jaxlic.types import Quality
from tests.conftest import TOY_OPTIONS, make_toy, slow

IMAGES = jax.random.uniform(jax.random.key(1), (2, 32, 32, 3))
QUALITY = Quality(jnp.array([0.0, 1.5]))


# The others are made of the same networks.
NAMES = [
  "lapped",
  "bmshj2018-factorized",
  slow("bmshj2018-hyperprior"),
  "mbt2018-mean",
  "mbt2018",
  slow("cheng2020-attn"),
  slow("elic2022"),
  slow("ms2020"),
  "theis2017",
]


@pytest.fixture(params=NAMES)
def name(request):
  return request.param


def toy_in(dtype, name):
  return models.make(name, **TOY_OPTIONS[name], dtype=dtype)


def loss_of(model):
  """Bits per pixel plus squared error: (params) -> float."""
  built = codec.make(model)
  keys = jax.random.split(jax.random.key(0), len(IMAGES))

  def loss(params):
    outcome = built.apply(params, IMAGES, QUALITY, keys)
    bits = sum(part.sum() for part in outcome.bits.values())
    error = (outcome.image - IMAGES) ** 2
    return bits / IMAGES[..., 0].size + 100 * error.mean()

  return loss


@pytest.mark.parametrize(
  "name", [slow("lapped"), "mbt2018-mean", slow("mbt2018")]
)
def test_bfloat16_gives_nearly_the_loss_of_float32(name):
  half, full = (loss_of(toy_in(d, name)) for d in ("bfloat16", "float32"))
  both = jax.jit(lambda params: (half(params), full(params)))
  value, expected = both(make_toy(name)[2])
  # 8 bits of mantissa round by up to 2^-9 = 0.2 %; over thousands of values
  # that averages out: 0.002 % were seen.
  np.testing.assert_allclose(value, expected, rtol=2e-3)
  assert value != expected


def test_parameters_and_all_between_networks_are_float32(name):
  model = toy_in("bfloat16", name)

  def everything():
    params = model.init(jax.random.key(0))
    latents = codec.analyze(model, params, IMAGES, QUALITY)
    predictions = []

    def value_of(stage, predict):
      predictions.append(predict())
      return latents[stage.spec.name]

    context = codec.begin(QUALITY.level)
    context = codec.walk(model, params, context, (2, 2), value_of)
    image = model.synthesize(params, context)
    return params, latents, predictions, context, image

  types = {leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(everything))}
  assert types == {jnp.dtype("float32")}


def test_convolutions_compute_in_bfloat16_but_for_each_networks_last(name):
  loss = loss_of(toy_in("bfloat16", name))
  program = str(jax.make_jaxpr(loss)(make_toy(name)[2]))
  types = re.findall(r":(\w+)\[[\d,]+\] = conv_general_dilated", program)
  assert set(types) == {"bf16", "f32"}
  # An up-convolution is four, so that the last of a synthesis counts as such.
  assert types.count("f32") < types.count("bf16")


@pytest.mark.parametrize("name", ["lapped", "mbt2018-mean", "mbt2018"])
def test_float32_is_the_default_and_untouched(name):
  default = models.make(name, **TOY_OPTIONS[name])
  params = make_toy(name)[2]
  program = str(jax.make_jaxpr(loss_of(default))(params))
  same = str(jax.make_jaxpr(loss_of(toy_in("float32", name)))(params))
  assert program == same
  # The same parameters, and no rounding to anything shorter.
  shapes = jax.eval_shape(default.init, jax.random.key(0))
  other = jax.eval_shape(toy_in("bfloat16", name).init, jax.random.key(0))
  assert shapes == other
  assert not re.search(r"\b(bf16|f16)\[", program)


def test_an_unknown_type_is_refused(name):
  with pytest.raises(
    JaxlicError, match="dtype is one of float32, bfloat16, got 'float16'"
  ):
    toy_in("float16", name)
