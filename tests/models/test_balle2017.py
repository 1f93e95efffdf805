"""The end-to-end model beside its layers in NumPy, in float64, by loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlic import models
from jaxlic.nn import balle_networks
from jaxlic.types import Quality
from tests.conftest import make_params, make_toy, slow

NAME, WIDTH = "balle2017", 3
IMAGE = np.random.default_rng(0).random((16, 32, 3))
FORMS = {"sqrt": (1e-6, 0.0, 2.0**-18), "square": (1e-6, 1e-6, 2e-5)}


def down(x, kernel, bias, stride):
  """Correlation of an image that has zeros of half the kernel around it."""
  size, height, width = len(kernel), *x.shape[:2]
  padded = np.pad(x, 2 * [(size // 2, size // 2)] + [(0, 0)])
  y = np.zeros((height // stride, width // stride, kernel.shape[-1]))
  for i, j in np.ndindex(y.shape[:2]):
    window = padded[i * stride : i * stride + size]
    window = window[:, j * stride : j * stride + size]
    y[i, j] = np.einsum("uvc,uvcd->d", window, kernel) + bias
  return y


def up(x, kernel, bias, stride):
  """Every position adds its kernel, turned by half a circle, around it."""
  size, height, width = len(kernel), *x.shape[:2]
  sums = np.zeros(
    (height * stride + size, width * stride + size, kernel.shape[-1])
  )
  for i, j in np.ndindex(height, width):
    rows, columns = (slice(k * stride, k * stride + size) for k in (i, j))
    added = np.einsum("c,uvcd->uvd", x[i, j], kernel[::-1, ::-1])
    sums[rows, columns] += added
  first = size // 2
  inside = slice(first, first + height * stride)
  return sums[inside, first : first + width * stride] + bias


def normalize(x, params, form, inverse=False):
  beta_min, gamma_min, offset = FORMS[form]
  beta, gamma = (np.asarray(params[k], np.float64) for k in ("beta", "gamma"))
  if form == "square":
    gamma = (gamma + gamma.T) / 2
  beta = np.maximum(beta, (beta_min + offset**2) ** 0.5) ** 2 - offset**2
  gamma = np.maximum(gamma, (gamma_min + offset**2) ** 0.5) ** 2 - offset**2
  divisor = beta + np.einsum("hwj,ij->hwi", x**2, gamma)
  divisor = divisor**0.5 if form == "sqrt" else divisor
  return x * divisor if inverse else x / divisor


def of(params, layer):
  """A layer's kernel and bias, in float64."""
  leaves = params[layer]
  kernel = np.asarray(leaves["kernel"], np.float64)
  return kernel, np.asarray(leaves.get("bias", 0.0), np.float64)


def analyze(params, x, form, normalize_latent):
  x = down(x, *of(params, "conv0"), 4)
  x = down(normalize(x, params["gdn0"], form), *of(params, "conv1"), 2)
  x = down(normalize(x, params["gdn1"], form), *of(params, "conv"), 2)
  return normalize(x, params["gdn2"], form) if normalize_latent else x


def synthesize(params, y, form, normalize_latent):
  if normalize_latent:
    y = normalize(y, params["gdn0"], form, inverse=True)
  y = up(y, *of(params, "conv0"), 2)
  y = up(normalize(y, params["gdn1"], form, True), *of(params, "conv1"), 2)
  return up(normalize(y, params["gdn2"], form, True), *of(params, "conv2"), 4)


@pytest.mark.parametrize(
  ("form", "normalize_latent"),
  [("sqrt", True), slow("square", True), ("sqrt", False)],
)
def test_the_transforms_are_the_paper_s_layers(form, normalize_latent):
  model = models.make(
    NAME, width=WIDTH, norm=form, normalize_latent=normalize_latent
  )
  params = make_params(model, noise=0.1, last=1.0)
  assert ("gdn2" in params["analysis"]["params"]) == normalize_latent
  analysis, synthesis = (params[k]["params"] for k in ("analysis", "synthesis"))
  assert "bias" not in analysis["conv"]
  image = jnp.asarray(IMAGE, jnp.float32)[None]
  y = model.analyze(params, image, Quality(jnp.zeros(1)))[0]
  expected = analyze(analysis, IMAGE, form, normalize_latent)
  assert y.shape == expected.shape == (1, 2, WIDTH)
  # Float32 sums of up to 243 products, three layers of them.
  scale = np.abs(expected).max()
  np.testing.assert_allclose(y, expected, atol=1e-5 * scale)
  y_hat = np.random.default_rng(1).normal(scale=3.0, size=(2, 3, WIDTH))
  shown = model.synthesize(params, {"y": jnp.asarray(y_hat, jnp.float32)[None]})
  expected = synthesize(synthesis, y_hat, form, normalize_latent)
  assert shown.shape == (1, 32, 48, 3)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(shown[0], expected, atol=1e-5 * scale)


def test_what_goes_up_is_the_transpose_of_what_goes_down():
  # <down(x), y> = <x, up(y)>, with one kernel turned by half a circle.
  random = np.random.default_rng(2)
  kernel, x, y = (
    jnp.asarray(random.normal(size=size), jnp.float32)
    for size in ((9, 9, 2, 3), (1, 8, 12, 3), (1, 2, 3, 2))
  )
  module = balle_networks.UpConv9(3)
  params = {"params": {"kernel": kernel, "bias": jnp.zeros(3)}}
  turned = np.flip(kernel, (0, 1)).swapaxes(2, 3)
  lower = down(np.asarray(x[0], np.float64), turned, 0.0, 4)
  right = float((x * module.apply(params, y)).sum())
  assert (lower * np.asarray(y[0])).sum() == pytest.approx(right, rel=1e-4)


def test_a_grey_model_sees_the_mean_and_shows_three_equal_channels():
  model, _, params, _ = make_toy(NAME, grey=True)
  quality, image = Quality(jnp.zeros(1)), jnp.asarray(IMAGE, jnp.float32)[None]
  mean = jnp.repeat(image.mean(-1, keepdims=True), 3, -1)
  y = model.analyze(params, image, quality)
  np.testing.assert_allclose(model.analyze(params, mean, quality), y, atol=1e-5)
  shown = model.synthesize(params, {"y": 5.0 * y})
  assert shown.shape == image.shape and jnp.ptp(shown) > 1e-3
  np.testing.assert_array_equal(shown, jnp.repeat(shown[..., :1], 3, -1))


def test_colour_costs_a_grey_model_the_same_whatever_it_shows():
  # |x - g|^2 = |x - mean|^2 + |mean - g|^2, for grey g: the loss is the grey's.
  model, _, params, _ = make_toy(NAME, grey=True)
  image = jnp.asarray(IMAGE, jnp.float32)[None]
  y = model.analyze(params, image, Quality(jnp.zeros(1)))
  mean = image.mean(-1, keepdims=True)
  shown = model.synthesize(params, {"y": y})
  error = jnp.sum((image - shown) ** 2) - jnp.sum((mean - shown) ** 2)
  np.testing.assert_allclose(error, jnp.sum((image - mean) ** 2), rtol=1e-4)


def test_the_paper_s_widths_are_those_of_colour_and_of_grey():
  def channels(**options):
    return models.make(NAME, **options).stages[0].spec.channels

  assert [channels(quality=q) for q in (1, 8)] == [192, 192]
  grey = [channels(quality=q, grey=True) for q in range(1, 9)]
  assert grey == 6 * [128] + 2 * [256]
  assert channels(quality=8, grey=True, width=5) == 5


def test_a_grey_model_decodes_what_was_evaluated():
  _, built, params, tables = make_toy(NAME, grey=True)
  image = np.asarray(IMAGE[:13, :21], np.float32)
  payload = built.encode(params, tables, image, 0.0)
  shown = built.decode(params, tables, payload)
  np.testing.assert_array_equal(shown, built.evaluate(params, image, 0.0).image)
