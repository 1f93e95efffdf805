"""The rate-distortion loss and one step of training, as pure functions."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, UInt8

from jaxlic.types import Codec, Params


class State(NamedTuple):
  """Everything that a step changes."""

  step: Array  # int32
  params: Params
  average: Params  # exponential moving average of params
  optimizer: Any
  key: Array  # the root key; step k draws from fold_in(key, k)


def optimizer(config: Any) -> optax.GradientTransformation:
  """Returns Adam with warm-up, cosine decay, clipping, and a slow group.

  `config` has `learning_rate`, `warmup_steps`, `steps`, `clip_norm`, and
  `slow` (top-level parameter names) with `slow_factor` on their rate.
  """

  def adam(factor):
    schedule = optax.warmup_cosine_decay_schedule(
      0.0,
      factor * config.learning_rate,
      config.warmup_steps,
      config.steps,
      end_value=0.01 * factor * config.learning_rate,
    )
    return optax.adam(schedule)

  def labels(params):
    slow = tuple(config.slow)
    return {
      name: jax.tree.map(lambda _, n=name: "slow" if n in slow else "fast", v)
      for name, v in params.items()
    }

  rates = {"fast": adam(1.0), "slow": adam(config.slow_factor)}
  return optax.chain(
    optax.clip_by_global_norm(config.clip_norm),
    optax.partition(rates, labels),
  )


def init_state(codec: Codec, chain: Any, seed: int) -> State:
  """Returns the state before the first step."""
  init_key, key = jax.random.split(jax.random.key(seed))
  params = jax.jit(codec.init)(init_key)
  return State(
    step=jnp.zeros((), jnp.int32),
    params=params,
    average=jax.tree.map(jnp.copy, params),
    optimizer=chain.init(params),
    key=key,
  )


def rate_distortion(
  outcome: Any,
  images: Float[Array, "b H W 3"],
  lambdas: Float[Array, "b"],
) -> tuple[Float[Array, "b"], dict[str, Array]]:
  """Returns `bpp + lambda * 255^2 * mse` per image, and its means by part."""
  pixels = images.shape[1] * images.shape[2]
  bpp = {name: bits / pixels for name, bits in outcome.bits.items()}
  total = sum(bpp.values())
  mse = ((outcome.image - images) ** 2).mean((1, 2, 3))
  parts = {f"bpp_{name}": value.mean() for name, value in bpp.items()}
  parts |= {"bpp": total.mean(), "psnr_db": -10 * jnp.log10(mse).mean()}
  return total + lambdas * 255**2 * mse, parts


def make_step(
  codec: Codec, chain: Any, config: Any, *, lambdas: tuple[float, ...]
) -> Any:
  """Returns the step: (state, images uint8 [b H W 3]) -> (state, metrics).

  Each image draws a quality of its own: a level, all equally likely, or for a
  `config.continuous` share of images any quality between. `lambdas` are those
  of the model's levels. An image's loss is
  divided by the square root of its lambda, so that no level drowns another. A
  step whose gradient norm is not below `config.spike_norm` changes nothing but
  the count of steps.
  """
  log_lambdas = jnp.log(jnp.asarray(lambdas))
  top = len(lambdas) - 1

  def loss(params, images, key):
    rate_key, noise_key = jax.random.split(key)
    rate = _draw_rates(rate_key, images.shape[0], top, config.continuous)
    weight = jnp.exp(jnp.interp(rate, jnp.arange(top + 1.0), log_lambdas))
    outcome = codec.apply(params, images, rate, noise_key)
    cost, parts = rate_distortion(outcome, images, weight)
    weights = jax.lax.rsqrt(weight / weight.mean())
    return (weights * cost).mean(), parts | {"loss": cost.mean()}

  def step(
    state: State, images: UInt8[Array, "b H W 3"]
  ) -> tuple[State, dict[str, Array]]:
    images = images.astype(jnp.float32) / 255
    key = jax.random.fold_in(state.key, state.step)
    gradient, metrics = jax.grad(loss, has_aux=True)(state.params, images, key)
    norm = optax.tree.norm(gradient)
    updates, moments = chain.update(gradient, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    # A young average follows closely, so that a short run has one worth using.
    age = state.step.astype(jnp.float32)
    decay = jnp.minimum(config.average_decay, (age + 1) / (age + 10))
    average = jax.tree.map(
      lambda a, p: decay * a + (1 - decay) * p, state.average, params
    )
    after = State(state.step + 1, params, average, moments, state.key)
    # Now and then a batch spikes, and one such step can ruin a run: skip it.
    sound = norm < config.spike_norm  # False for NaN, too
    before = state._replace(step=state.step + 1)
    state = jax.tree.map(lambda a, b: jnp.where(sound, a, b), after, before)
    skipped = 1.0 - sound.astype(jnp.float32)
    norm = jnp.where(sound, norm, 0.0)
    return state, metrics | {"gradient_norm": norm, "skipped": skipped}

  return step


def _draw_rates(key, count, top, continuous):
  """Qualities [count]: levels 0..top, or a `continuous` share in between."""
  level_key, between_key, share_key = jax.random.split(key, 3)
  level = jax.random.randint(level_key, (count,), 0, top + 1)
  between = jax.random.uniform(between_key, (count,), maxval=top)
  share = jax.random.uniform(share_key, (count,))
  return jnp.where(share < continuous, between, level.astype(jnp.float32))
