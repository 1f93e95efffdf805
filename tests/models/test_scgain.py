from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlic
from jaxlic import files, metrics, zoo
from jaxlic.data import images
from jaxlic.errors import JaxlicError
from jaxlic.quality import NEUTRAL
from jaxlic.types import Quality
from tests.conftest import make_toy, slow

# Made by configs/comparisons/scgain.py.
FIXTURE = Path(__file__).parent / "fixtures" / "scgain"


def test_the_map_scales_y_and_a_latent_tells_by_how_much():
  model, _, params, _ = make_toy("scgain")
  analyze = jax.jit(model.analyze)
  image = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3))
  # Without modulations, a map of one value does nothing but scale.
  params = params | {"analysis": _without_modulation(params["analysis"])}
  plain, most = (
    Quality(jnp.zeros(1), jnp.full((1, 64, 64), value)) for value in (0.5, 1.0)
  )
  scaled = analyze(params, image, most)
  np.testing.assert_allclose(
    scaled[..., :-1],
    analyze(params, image, plain)[..., :-1] * np.exp(14 / 16),
    rtol=1e-4,
    atol=1e-5,
  )
  steps = model.latents(params, scaled, most)["map"]
  np.testing.assert_array_equal(steps, np.full((1, 1, 1, 1), 14))


def test_a_map_of_a_damaged_file_is_bounded():
  model, _, params, _ = make_toy("scgain")
  steps = jnp.full((1, 1, 1, 1), -(2.0**20))
  context = model.stages[0].absorb(params, {}, steps, (1, 1))
  assert context["map"].item() == -14


def _without_modulation(analysis):
  layers = {
    name: jax.tree.map(jnp.zeros_like, layer)
    if name.startswith("modulation")
    else layer
    for name, layer in analysis["params"].items()
  }
  return {"params": layers}


@pytest.fixture(scope="module")
def image():
  return np.random.default_rng(0).uniform(size=(48, 40, 3)).astype(np.float32)


@pytest.mark.parametrize(
  "hyper_input",
  [pytest.param("gained", marks=pytest.mark.newest), slow("ungained")],
)
def test_what_is_decoded_is_what_was_evaluated_with_a_map(image, hyper_input):
  # The toy of other tests has gained ones.
  options = {} if hyper_input == "gained" else {"hyper_input": hyper_input}
  _, built, params, tables = make_toy("scgain", **options)
  quality_map = np.linspace(0, 1, 40) * np.ones((48, 1))
  payload = built.encode(params, tables, image, 2.5, quality_map)
  shown = built.decode(params, tables, payload)
  wanted = built.evaluate(params, image, 2.5, quality_map)
  np.testing.assert_array_equal(shown, wanted.image)


def test_a_quality_map_changes_what_is_coded(image):
  _, built, params, tables = make_toy("scgain")
  neutral = built.encode(params, tables, image, 1.0)
  half = np.full((48, 40), NEUTRAL)
  assert built.encode(params, tables, image, 1.0, half) == neutral
  assert built.encode(params, tables, image, 1.0, 0 * half) != neutral


@pytest.mark.parametrize(
  ("quality_map", "match"),
  [
    (np.zeros((40, 48)), r"a number per pixel, 48 x 40, got .*\(40, 48\)"),
    (np.full((48, 40), 1.5), "a quality map's values are within 0..1"),
    (np.full((48, 40), np.nan), "a quality map's values are within 0..1"),
    ("mask.png", "a number per pixel, 48 x 40, got str"),
  ],
)
def test_quality_maps_that_fit_no_image_are_refused(image, quality_map, match):
  _, built, params, tables = make_toy("scgain")
  with pytest.raises(JaxlicError, match=match):
    built.encode(params, tables, image, 1.0, quality_map)


def test_models_without_a_quality_map_refuse_one(image):
  _, built, params, tables = make_toy("gained")
  with pytest.raises(JaxlicError, match="gained takes no quality map"):
    built.encode(params, tables, image, 1.0, np.zeros((48, 40)))


@pytest.fixture(scope="module")
def trained():
  """A small model that was trained, and a part of a photograph."""
  pixels = images.read(zoo.DEMO).pixels[:256, 100:484]
  return zoo.load(FIXTURE), pixels


@pytest.mark.slow
def test_rate_grows_over_the_whole_sweep_and_psnr_with_the_levels(trained):
  model, pixels = trained
  sizes, psnrs = [], []
  for tenth in range(21):
    data = files.compress(pixels, quality=tenth / 10, model=model)
    sizes.append(len(data))
    shown = files.decompress(data, model=model)
    psnrs.append(metrics.psnr_db(pixels, shown))
  assert (np.diff(sizes) > 0).all()
  # Trained briefly, it has a tenth on this one image without a better PSNR.
  assert (np.diff(psnrs[::10]) > 0).all()


@pytest.mark.parametrize("quality", [0.5, 1.0])
def test_errors_are_lower_inside_a_mask_at_equal_bytes(trained, quality):
  model, pixels = trained
  mask = np.zeros(pixels.shape[:2], np.float32)
  mask[64:192, 128:256] = 1.0
  plain = files.compress(pixels, quality=quality, model=model)
  masked = jaxlic.compress_to(
    pixels,
    target_bpp=8 * len(plain) / mask.size,
    model=model,
    quality_map=mask,
  )
  assert len(masked.data) == pytest.approx(len(plain), rel=0.01)

  def errors(data):
    shown = files.decompress(data, model=model).astype(float)
    squared = ((shown - pixels) ** 2).mean(-1)
    return squared[mask == 1].mean(), squared[mask == 0].mean()

  (inside, outside), (before, beyond) = errors(masked.data), errors(plain)
  # A quarter less was seen.
  assert inside < 0.9 * before
  assert outside > beyond
