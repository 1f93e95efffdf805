"""One step of training, as a pure function.

A step knows nothing of devices but the name of an axis, over which it averages
gradients and metrics. What is random in an example depends on the run's key and
the example's number alone, so that the result is the same, up to the order of
floating-point sums, however many devices and hosts share a batch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, UInt8, UInt32

from jaxlic.training import resting
from jaxlic.training.loss import anneal, make_loss, metric_names
from jaxlic.types import Codec, Model, Params

AXIS = "devices"
Optimizer = optax.GradientTransformationExtraArgs


class State(NamedTuple):
  """Everything that a step changes."""

  step: Array  # int32, steps so far, skipped ones included
  params: Params
  average: Params  # exponential moving average of params
  optimizer: optax.OptState
  key: Array  # the root key; example i draws from fold_in(key, i)
  totals: dict[str, Array]  # sums of metrics since they were last cleared
  skipped: Array  # int32, steps skipped so far
  streak: Array  # int32, how many of the last steps in a row were skipped


def init_state(model: Model, optimizer: Optimizer, config: Any) -> State:
  """Returns the state before the first step of a run's configuration."""
  # Of other generators, keys that are mapped over do not draw independently.
  key = jax.random.key(config.seed, impl="threefry2x32")
  init_key, key = jax.random.split(key)
  params = model.init(init_key)
  # "steps" counts the terms of the other sums.
  names = [*metric_names(model, config.loss), "gradient_norm", "steps"]
  return State(
    step=jnp.zeros((), jnp.int32),
    params=params,
    average=jax.tree.map(jnp.copy, params),
    optimizer=optimizer.init(params),
    key=key,
    totals={name: jnp.zeros(()) for name in names},
    skipped=jnp.zeros((), jnp.int32),
    streak=jnp.zeros((), jnp.int32),
  )


def make_step(
  model: Model, codec: Codec, optimizer: Optimizer, config: Any
) -> Callable:
  """Returns the step, to be mapped over devices that share the axis AXIS.

  The step takes a state, uint8 images [b H W 3] and their numbers [b] among all
  examples of the run, and returns the state after it. `config` is that of the
  run. A step whose loss or gradient is not finite, or whose gradient norm is
  `config.loss.max_norm` or more, changes nothing but the counts.
  """
  gradient_of = _make_gradient(model, codec, config)
  decay, names = config.loss.average_decay, model.spec.rests

  def advance(state: State, gradient: Params, metrics: dict) -> State:
    updates, moments = optimizer.update(
      gradient, state.optimizer, state.params, value=metrics["loss"]
    )
    params = optax.apply_updates(state.params, updates)
    return state._replace(
      params=params,
      average=_follow(state, params, decay, names),
      optimizer=moments,
      totals={k: v + metrics[k] for k, v in state.totals.items()},
      streak=jnp.zeros_like(state.streak),
    )

  def step(
    state: State, images: UInt8[Array, "b H W 3"], index: UInt32[Array, "b"]
  ) -> State:
    gradient, metrics = jax.lax.pmean(gradient_of(state, images, index), AXIS)
    norm = optax.tree.norm(gradient)
    metrics |= {"gradient_norm": norm, "steps": jnp.ones(())}
    after = advance(state, gradient, metrics)
    before = state._replace(skipped=state.skipped + 1, streak=state.streak + 1)
    sound = _is_sound(metrics, config.loss.max_norm)
    chosen = jax.tree.map(lambda a, b: jnp.where(sound, a, b), after, before)
    return chosen._replace(step=state.step + 1)

  return step


def make_resident_step(step: Callable, draw: Callable) -> Callable:
  """Returns several steps in one, whose images a device draws by itself.

  Args:
    step: A step, see `make_step`.
    draw: From what a device holds, and numbers [b], to images [b H W 3].

  Returns:
    A function of a state, what a device holds, and numbers [b k] of the
    examples of k steps.
  """

  def steps(state: State, held: Any, index: UInt32[Array, "b k"]) -> State:
    def one(state, index):
      return step(state, draw(held, index), index), None

    if index.shape[1] == 1:
      return one(state, index[:, 0])[0]
    return jax.lax.scan(one, state, index.T, unroll=_is_unrolled())[0]

  return steps


def _make_gradient(model: Model, codec: Codec, config: Any) -> Callable:
  """The mean gradient and metrics of a state's examples."""
  loss = make_loss(model, codec, config.loss)
  names, only = model.spec.rests, tuple(config.optimizer.only)

  def gradient(state: State, images: Array, index: Array):
    temperature = anneal(config.loss, state.step)

    def mean_loss(params, images, index):
      params = resting.without_gradient(params, names, only)
      keys = jax.vmap(jax.random.fold_in, (None, 0))(state.key, index)
      return loss(params, images, keys, temperature)

    examples = (images, index)
    return _in_turns(mean_loss, state.params, examples, config.accumulate)

  return gradient


def _in_turns(
  loss: Callable, params: Params, examples: tuple, turns: int
) -> tuple[Params, dict[str, Array]]:
  """The mean gradient and metrics of examples, a share of them at a time."""
  gradient_of = jax.grad(loss, has_aux=True)
  if turns == 1:
    return gradient_of(params, *examples)

  def add(sums, share):
    return jax.tree.map(jnp.add, sums, gradient_of(params, *share)), None

  shares = jax.tree.map(lambda x: x.reshape(turns, -1, *x.shape[1:]), examples)
  shapes = jax.eval_shape(gradient_of, params, *(x[0] for x in shares))
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  sums, _ = jax.lax.scan(add, zeros, shares, unroll=_is_unrolled())
  return jax.tree.map(lambda x: x / turns, sums)


def _is_unrolled() -> bool:
  """Whether loops are written out: XLA compiles theirs badly for CPUs."""
  return jax.default_backend() == "cpu"


def _is_sound(metrics: dict[str, Array], max_norm: float) -> Bool[Array, ""]:
  # Both comparisons are False for NaN.
  finite = jnp.abs(metrics["loss"]) < jnp.inf
  return (metrics["gradient_norm"] < max_norm) & finite


def _follow(
  state: State, params: Params, decay: float, names: tuple[str, ...]
) -> Params:
  """The moving average; what rests has an average that does, too."""
  # A young average follows closely, so that a short run has one worth using.
  age = state.step.astype(jnp.float32)
  decay = jnp.minimum(decay, (age + 1) / (age + 10))
  average = jax.tree.map(
    lambda a, p: a + (1 - decay) * (p - a), state.average, params
  )
  return resting.choose(params, average, names, ())
