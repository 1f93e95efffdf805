"""Models of a few channels, and pictures for them."""

import functools

import jax

from jaxlic import models
from tests.conftest import make_params

SMALL = {"width": 4, "latent": 6}
OTHERS = {
  "ms2020": SMALL
  | {"slices": 3, "hyper_widths": (4, 5, 6), "slice_widths": (6, 5)},
  "cheng2020-anchor": {"width": 4},
  "cheng2020-attn": {"width": 4},
  "cheng2020-anchor-checkerboard": {"width": 4},
  "balle2017": {"width": 4},
  "elic2022": SMALL | {"groups": (1, 2), "context_widths": (4, 4)},
}
# Those of CompressAI's qualities; the others have tests of their own.
PUBLISHED = [
  n for n in models.BACKBONES if not n.startswith(("lvqac", "theis2017"))
]
CHENG = [name for name in PUBLISHED if name.startswith("cheng2020")]
NORMALIZED = [
  "bmshj2018-factorized",
  "bmshj2018-hyperprior",
  "mbt2018-mean",
  "mbt2018",
  "ms2020",
  "balle2017",
]
HYPER = ["bmshj2018-hyperprior", "mbt2018-mean"]


def small_options(name):
  return OTHERS.get(name, SMALL)


@functools.cache
def small(name):
  """(the model, its parameters)."""
  model = models.make(name, **small_options(name))
  return model, make_params(model, noise=0.0)


def picture(height, width, batch=2):
  return jax.random.uniform(jax.random.key(1), (batch, height, width, 3))
