"""What an imported model computes, by the names that make_fixtures.py gives.

It imports nothing of the tests, so that notebooks can, too.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic import codec
from jaxlic.codec import ordered
from jaxlic.nn import neighbours
from jaxlic.types import Prediction


def relative_error(ours, theirs):
  """The largest difference, relative to the largest value."""
  return np.abs(ours - theirs).max() / np.abs(theirs).max()


def computed(model, params, recorded, image):
  """What a model computes of an image and the recorded y_hat and z_hat.

  Args:
    model: The imported one.
    params: Its parameters.
    recorded: What CompressAI computed, arrays by name.
    image: Its input, float32 [1 H W 3].
  """
  grid = recorded["y"].shape[:2]
  given = by_stage(model, recorded)
  given_hat = by_stage(model, recorded, "_hat")

  def compute(params, image):
    known = codec.begin(jnp.zeros(1))
    latents = codec.analyze(model, params, image, known["quality"])
    quantities = {
      "z": [latents.pop("z")] if "z" in latents else [],
      "y": [latents[key] for key in latents],
    }

    def add(key, array):
      quantities.setdefault(key, []).append(array)

    def value_of(stage, predict):
      key, latent = stage.spec.name, stage.spec.name[0]
      y_hat = given_hat[key]
      prediction = predict(y_hat)
      if stage.order:
        add("context", contexts(stage, params, predict.features, y_hat))
      else:
        symbols = stage.quantizer.to_symbols(given[key], prediction)
        rounded = stage.quantizer.from_symbols(symbols, prediction)
        add(f"{latent}_hat", rounded.value)
      bits = stage.density.bits(params, y_hat, prediction)
      add(f"{latent}_likelihood", 2.0**-bits)
      if latent == "y":
        add("scales", prediction.scale)
        add("means", prediction.mean)
      return y_hat

    known = codec.walk(model, params, known, grid, value_of)
    quantities["hyper"] = [known["hyper"]] if "hyper" in known else []
    quantities["x_hat"] = [model.synthesize(params, known)[:, ::3, 1::3]]
    return {
      key: jnp.concatenate(arrays, -1)[0]
      for key, arrays in quantities.items()
      if arrays
    }

  return jax.device_get(jax.jit(compute)(params, image))


def by_stage(model, recorded, suffix=""):
  """Each stage's channels of the latent, z or y, that it is of."""
  latents, starts = {}, {"z": 0, "y": 0}
  for stage in model.stages:
    name, size = stage.spec.name, stage.spec.channels
    start = starts[name[0]]
    whole = jnp.asarray(recorded[name[0] + suffix])[None]
    latents[name] = whole[..., start : start + size]
    starts[name[0]] += size
  return latents


def contexts(stage, params, features, y_hat):
  """What the masked convolution of an ordered stage makes of y_hat."""
  part = stage.spec.name.replace("y", "refinement")
  masked = params.get(part, params.get("context"))["params"]["masked"]
  order = stage.order
  alone = order.groups is neighbours.checkerboard

  def refine(params, features, around, groups):
    context = neighbours.MaskedConv(2 * y_hat.shape[-1], order.taps).apply(
      {"params": masked}, around
    )
    context = neighbours.unless_first(context, groups) if alone else context
    return Prediction(context, context)

  changed = order._replace(refine=refine)
  return ordered.parallel(changed, params, features, y_hat).mean
