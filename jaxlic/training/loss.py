"""The rate-distortion loss that training lowers, and what it draws.

What is random in an example (its quality, its map, its noise) depends on the
example's key alone.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic import quality
from jaxlic.errors import JaxlicError
from jaxlic.metrics import ms_ssim
from jaxlic.training import quality_maps, rules
from jaxlic.types import Codec, Model, ModelSpec, Outcome, Quality

DISTORTIONS = ("mse", "ms-ssim")


def weights(spec: ModelSpec, config: Any) -> tuple[float, ...]:
  """Returns the distortion's weight at each level of a model.

  `config.lambdas`, or where that is empty the model's own for
  `config.distortion`: of `255^2 * MSE`, or of `1 - MS-SSIM`, against bits per
  pixel, as CompressAI has them.

  Raises:
    JaxlicError: If there is no such distortion, or weights for it are missing.
  """
  distortion = config.distortion
  rules.check("loss.distortion", distortion, rules.one_of(*DISTORTIONS))
  if spec.takes_map and distortion != "mse":
    raise JaxlicError(
      f"{spec.name} weighs squared errors by a quality map, got "
      f"loss.distortion {distortion}; train it with mse"
    )
  of_model = spec.lambdas if distortion == "mse" else spec.ms_ssim_lambdas
  lambdas = tuple(config.lambdas) or of_model
  levels = max(spec.levels, 1)
  if len(lambdas) != levels:
    raise JaxlicError(
      f"{spec.name} needs {levels} weights of {distortion}, "
      f"got {len(lambdas)}; set loss.lambdas"
    )
  return lambdas


def rate_distortion(
  outcome: Outcome,
  images: Float[Array, "b H W 3"],
  lambdas: Float[Array, "b"],
  distortion: str,
  quality_map: Float[Array, "b H W"] | None = None,
) -> tuple[Float[Array, "b"], dict[str, Float[Array, "b"]]]:
  """Returns `bpp + lambda * distortion` per image, and its metrics.

  With a `quality_map`, squared errors weigh what it says.
  """
  pixels = images.shape[1] * images.shape[2]
  metrics = {f"bpp_{name}": v / pixels for name, v in outcome.bits.items()}
  bpp = sum(metrics.values())
  errors = ((outcome.image - images) ** 2).mean(3)
  mse = errors.mean((1, 2))
  metrics |= {"bpp": bpp, "psnr_db": -10 * jnp.log10(jnp.maximum(mse, 1e-10))}
  if distortion == "mse":
    if quality_map is not None:
      mse = (quality.weight(quality_map) * errors).mean((1, 2))
    cost = bpp + lambdas * 255**2 * mse
  else:
    metrics["ms_ssim"] = ms_ssim(outcome.image, images, peak=1.0)
    cost = bpp + lambdas * (1 - metrics["ms_ssim"])
  return cost, metrics | {"loss": cost}


def metric_names(model: Model, config: Any) -> list[str]:
  """Returns the names of the metrics, in the order of `rate_distortion`."""
  names = [f"bpp_{stage.spec.name}" for stage in model.stages]
  names += ["bpp", "psnr_db"]
  names += ["ms_ssim"] if config.distortion == "ms-ssim" else []
  return [*names, "loss"]


def make_loss(model: Model, codec: Codec, config: Any) -> Callable:
  """Returns the mean loss of some examples, and the means of its metrics.

  The function takes parameters, uint8 images [b H W 3], keys [b] and the
  surrogate's temperature; `config` is the part `loss` of a run's.

  Each image draws a quality of its own: a level, all equally likely, or for a
  `continuous` share of images any quality between. An image's loss is divided
  by its lambda over the mean of all, to the power `balance`: the square root
  keeps levels from drowning another.
  """
  lambdas = jnp.asarray(weights(model.spec, config))
  levels = jnp.arange(len(lambdas), dtype=jnp.float32)

  def loss(params, images, keys, temperature):
    images = images.astype(jnp.float32) / 255
    split = jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)
    level_keys, noise_keys, map_keys = split(keys)
    wanted = Quality(
      _draw_levels(level_keys, len(lambdas), config.continuous),
      _draw_maps(map_keys, images.shape) if model.spec.takes_map else None,
    )
    weight = jnp.exp(jnp.interp(wanted.level, levels, jnp.log(lambdas)))
    outcome = codec.apply(params, images, wanted, noise_keys, temperature)
    cost, metrics = rate_distortion(
      outcome, images, weight, config.distortion, wanted.map
    )
    balanced = (cost * (weight / lambdas.mean()) ** -config.balance).mean()
    return balanced, jax.tree.map(jnp.mean, metrics)

  return loss


def anneal(config: Any, step: Array) -> Float[Array, ""]:
  """Returns the surrogate's temperature, geometric from its start to its end.

  `config` is the part `loss` of a run's.
  """
  share = jnp.clip(step / config.temperature_steps, 0, 1)
  start, end = config.temperature_start, config.temperature_end
  return start * (end / start) ** share


def _draw_levels(
  keys: Array, levels: int, continuous: float
) -> Float[Array, "b"]:
  """A level per key, or for a `continuous` share any quality between two."""

  def draw(key):
    level_key, between_key, share_key = jax.random.split(key, 3)
    level = jax.random.randint(level_key, (), 0, levels)
    between = jax.random.uniform(between_key, maxval=levels - 1)
    share = jax.random.uniform(share_key)
    whole = level.astype(between.dtype)
    return jnp.where(share < continuous, between, whole)

  return jax.vmap(draw)(keys)


def _draw_maps(keys: Array, shape: tuple[int, ...]) -> Float[Array, "b H W"]:
  """A map per key, for images of a shape [b H W 3]."""
  return jax.vmap(lambda key: quality_maps.draw(key, *shape[1:3]))(keys)
