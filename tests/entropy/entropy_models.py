"""An entropy model of each kind, and what predicts an array for it."""

import functools

import jax
import numpy as np

from jaxlic import entropy

CHANNELS = 3
TABLE = (0.3, 1.0, 40.0)
MAKERS = {
  "bottleneck": functools.partial(entropy.bottleneck, CHANNELS),
  "gaussian": entropy.gaussian,
  "gaussian of a table": functools.partial(entropy.gaussian, TABLE),
  "asymmetric": entropy.asymmetric,
  "mixture": entropy.mixture,
}


@functools.cache
def frozen(name):
  """Parameters and tables of a model."""
  params = MAKERS[name]().init(jax.random.key(0))
  return params, MAKERS[name]().freeze(params)


def prediction(name, shape, seed=0):
  """What predicts an array of the shape, NumPy float32."""
  rng = np.random.default_rng(seed)
  last = {"asymmetric": (2,), "mixture": (2,)}.get(name, ())
  scales = np.exp(rng.uniform(-2, 2, (*shape, *last))).astype(np.float32)
  wide = (*shape, *last) if name == "mixture" else shape
  means = 3 * rng.normal(size=wide).astype(np.float32)
  if name == "bottleneck":
    return {}
  if name == "mixture":
    logits = rng.normal(size=scales.shape).astype(np.float32)
    return {"scales": scales, "means": means, "logits": logits}
  return {"scales": scales, "means": means}


def latent(name, shape, seed=1):
  """An array that the prediction fits roughly, with some far outliers."""
  rng = np.random.default_rng(seed)
  known = prediction(name, shape)
  spread, mean = known.get("scales", np.float32(5)), known.get("means", 0)
  if name in ("asymmetric", "mixture"):
    spread = spread[..., 0]
  if name == "mixture":
    mean = mean[..., 0]
  y = mean + spread * rng.normal(size=shape)
  y[rng.random(shape) < 0.05] *= 1e6
  return y.astype(np.float32)


def rounded(name, y, known):
  """The integers of y, and y_hat, by NumPy."""
  means = known.get("means") if name.startswith(("gauss", "asym")) else None
  means = np.zeros_like(y) if means is None else means
  symbols = np.rint(y - means)
  return symbols.astype(np.int32), symbols + means
