"""The rate-distortion loss and one step of training, as pure functions.

A step knows nothing of devices but the name of an axis, over which it averages
gradients and metrics. What is random in an example (its quality, its noise)
depends on the run's key and the example's number alone, so that the result is
the same, up to the order of floating-point sums, however many devices and hosts
share a batch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, UInt8, UInt32

from jaxlic import metrics, quality_maps
from jaxlic.errors import JaxlicError
from jaxlic.types import FIXED, Codec, Model, ModelSpec, Outcome, Params, rests

TRANSFORMS = ("analysis", "synthesis")  # parameters that every model has
AXIS = "devices"
DISTORTIONS = ("mse", "ms-ssim")


class State(NamedTuple):
  """Everything that a step changes."""

  step: Array  # int32, steps so far, skipped ones included
  params: Params
  average: Params  # exponential moving average of params
  optimizer: Any
  key: Array  # the root key; example i draws from fold_in(key, i)
  totals: dict[str, Array]  # sums of metrics since they were last cleared
  skipped: Array  # int32, steps skipped so far
  streak: Array  # int32, how many of the last steps in a row were skipped


def init_state(model: Model, chain: Any, config: Any) -> State:
  """Returns the state before the first step of a run's configuration."""
  # Of other generators, keys that are mapped over do not draw independently.
  key = jax.random.key(config.seed, impl="threefry2x32")
  init_key, key = jax.random.split(key)
  params = model.init(init_key)
  return State(
    step=jnp.zeros((), jnp.int32),
    params=params,
    average=jax.tree.map(jnp.copy, params),
    optimizer=chain.init(params),
    key=key,
    totals={name: jnp.zeros(()) for name in _metric_names(model, config.loss)},
    skipped=jnp.zeros((), jnp.int32),
    streak=jnp.zeros((), jnp.int32),
  )


def begin_with(state: State, params: Params, chain: Any) -> State:
  """Returns the state with other parameters, their average and an optimizer.

  Those of an imported model have medians besides the model's own. What is
  added to a model, groups of parameters that the others lack, starts as it is;
  only the transforms must be there.

  Raises:
    JaxlicError: If their shapes are not the model's.
  """
  if set(TRANSFORMS) <= set(params):
    fresh = {name: state.params[name] for name in added(state, params)}
    params = fresh | params
  surplus = sorted(set(params) - set(state.params))
  if surplus:
    raise JaxlicError(
      f"the weights to start from have {', '.join(surplus)}, which this model "
      "lacks; give the model's options that add them"
    )
  if _learned_shapes(params) != _learned_shapes(state.params):
    raise JaxlicError(
      "the weights to start from are not of this model; give model.options of "
      "the run that made them"
    )
  params = jax.tree.map(jnp.asarray, params)
  average = jax.tree.map(jnp.copy, params)
  optimizer = chain.init(params)
  return state._replace(params=params, average=average, optimizer=optimizer)


def fitting(params: Params, others: Params) -> Params:
  """Returns parameters, but the others' where name and shape are the same."""
  known = dict(jax.tree_util.tree_leaves_with_path(others))

  def choose(path, leaf):
    return known[path] if _fits(known, path, leaf) else leaf

  return jax.tree_util.tree_map_with_path(choose, params)


def unfitting(params: Params, others: Params) -> list[str]:
  """Returns the groups of which `fitting` leaves some as they are."""
  known = dict(jax.tree_util.tree_leaves_with_path(others))
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return sorted(
    {path[0].key for path, leaf in leaves if not _fits(known, path, leaf)}
  )


def _fits(known: dict, path: tuple, leaf: Array) -> bool:
  return path in known and jnp.shape(known[path]) == jnp.shape(leaf)


def added(state: State, params: Params) -> list[str]:
  """Returns the groups of the state's parameters that others lack."""
  return sorted(set(state.params) - set(params))


def _learned_shapes(params: Params) -> dict[tuple, tuple[int, ...]]:
  leaves = jax.tree_util.tree_leaves_with_path(params)
  return {k: jnp.shape(v) for k, v in leaves if k[-1].key not in FIXED}


def weights(spec: ModelSpec, config: Any) -> tuple[float, ...]:
  """Returns the distortion's weight at each level of a model.

  `config.lambdas`, or where that is empty the model's own for
  `config.distortion`: of `255^2 * MSE`, or of `1 - MS-SSIM`, against bits per
  pixel, as CompressAI has them.

  Raises:
    JaxlicError: If there is no such distortion, or weights for it are missing.
  """
  if config.distortion not in DISTORTIONS:
    raise JaxlicError(
      f"loss.distortion is one of {', '.join(DISTORTIONS)}, got "
      f"{config.distortion!r}; choose one"
    )
  if spec.quality_map and config.distortion != "mse":
    raise JaxlicError(
      f"{spec.name} weighs squared errors by a quality map, got "
      f"loss.distortion {config.distortion}; train it with mse"
    )
  own = spec.lambdas if config.distortion == "mse" else spec.ms_ssim_lambdas
  found = tuple(config.lambdas) or own
  levels = max(spec.levels, 1)
  if len(found) != levels:
    raise JaxlicError(
      f"{spec.name} needs {levels} weights of {config.distortion}, "
      f"got {len(found)}; set loss.lambdas"
    )
  return found


def rate_distortion(
  outcome: Outcome,
  images: Float[Array, "b H W 3"],
  lambdas: Float[Array, "b"],
  distortion: str,
  quality_map: Float[Array, "b H W"] | None = None,
) -> tuple[Float[Array, "b"], dict[str, Float[Array, "b"]]]:
  """Returns `bpp + lambda * distortion` per image, and its parts.

  With a `quality_map`, squared errors weigh what it says.
  """
  pixels = images.shape[1] * images.shape[2]
  parts = {f"bpp_{name}": v / pixels for name, v in outcome.bits.items()}
  bpp = sum(parts.values())
  errors = ((outcome.image - images) ** 2).mean(3)
  mse = errors.mean((1, 2))
  parts |= {"bpp": bpp, "psnr_db": -10 * jnp.log10(jnp.maximum(mse, 1e-10))}
  if distortion == "mse":
    if quality_map is not None:
      mse = (quality_maps.weight(quality_map) * errors).mean((1, 2))
    cost = bpp + lambdas * 255**2 * mse
  else:
    parts["ms_ssim"] = metrics.ms_ssim(outcome.image, images, peak=1.0)
    cost = bpp + lambdas * (1 - parts["ms_ssim"])
  return cost, parts | {"loss": cost}


def part_names(model: Model, config: Any) -> list[str]:
  """Returns the names of a loss's parts, in the order of `rate_distortion`."""
  names = [f"bpp_{stage.spec.name}" for stage in model.stages]
  names += ["bpp", "psnr_db"]
  names += ["ms_ssim"] if config.distortion == "ms-ssim" else []
  return [*names, "loss"]


def make_step(model: Model, codec: Codec, chain: Any, config: Any) -> Callable:
  """Returns the step, to be mapped over devices that share the axis AXIS.

  The step takes a state, uint8 images [b H W 3] and their numbers [b] among all
  examples of the run, and returns the state after it. `config` is that of the
  run. A step whose loss or gradient is not finite, or whose gradient norm is
  `config.loss.max_norm` or more, changes nothing but the counts.
  """
  loss = make_loss(model, codec, config.loss)

  def step(
    state: State, images: UInt8[Array, "b H W 3"], index: UInt32[Array, "b"]
  ) -> State:
    temperature = _anneal(config.loss, state.step)

    def mean_loss(params, images, index):
      params = _frozen(params, tuple(config.optimizer.only))
      keys = jax.vmap(jax.random.fold_in, (None, 0))(state.key, index)
      return loss(params, images, keys, temperature)

    found = _gradient(
      mean_loss, state.params, (images, index), config.accumulate
    )
    gradient, parts = jax.lax.pmean(found, AXIS)
    norm = optax.tree.norm(gradient)
    updates, moments = chain.update(
      gradient, state.optimizer, state.params, value=parts["loss"]
    )
    params = optax.apply_updates(state.params, updates)
    parts |= {"gradient_norm": norm, "steps": jnp.ones(())}
    after = state._replace(
      params=params,
      average=_follow(state, params, config.loss.average_decay),
      optimizer=moments,
      totals={k: v + parts[k] for k, v in state.totals.items()},
      streak=jnp.zeros_like(state.streak),
    )
    before = state._replace(skipped=state.skipped + 1, streak=state.streak + 1)
    # Both comparisons are False for NaN.
    sound = (norm < config.loss.max_norm) & (jnp.abs(parts["loss"]) < jnp.inf)
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
    return jax.lax.scan(one, state, index.T, unroll=_unrolled())[0]

  return steps


def _unrolled() -> bool:
  """Whether loops are written out: XLA compiles theirs badly for CPUs."""
  return jax.default_backend() == "cpu"


def _frozen(params: Params, only: tuple[str, ...]) -> Params:
  """The parameters; all that is FIXED, or in other groups, has no gradient."""

  def freeze(path, leaf):
    return jax.lax.stop_gradient(leaf) if rests(path, only) else leaf

  return jax.tree_util.tree_map_with_path(freeze, params)


def make_loss(model: Model, codec: Codec, config: Any) -> Callable:
  """Returns the mean loss of some examples, and the means of its parts.

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
    rate_keys, noise_keys, map_keys = split(keys)
    quality_map = _draw_maps(model.spec, map_keys, images.shape)
    draw = jax.vmap(lambda key: _draw_rate(key, len(lambdas), config))
    rate = draw(rate_keys)
    weight = jnp.exp(jnp.interp(rate, levels, jnp.log(lambdas)))
    outcome = codec.apply(
      params, images, rate, noise_keys, temperature, quality_map
    )
    cost, parts = rate_distortion(
      outcome, images, weight, config.distortion, quality_map
    )
    balanced = (cost * (weight / lambdas.mean()) ** -config.balance).mean()
    return balanced, jax.tree.map(jnp.mean, parts)

  return loss


def _metric_names(model: Model, config: Any) -> list[str]:
  """What a step adds up; "steps" counts the sums' terms."""
  return [*part_names(model, config), "gradient_norm", "steps"]


def _draw_rate(key: Array, levels: int, config: Any) -> Float[Array, ""]:
  """A level, or for a `config.continuous` share any quality between two."""
  level_key, between_key, share_key = jax.random.split(key, 3)
  level = jax.random.randint(level_key, (), 0, levels)
  between = jax.random.uniform(between_key, maxval=levels - 1)
  share = jax.random.uniform(share_key)
  return jnp.where(share < config.continuous, between, level)


def _draw_maps(
  spec: ModelSpec, keys: Array, shape: tuple[int, ...]
) -> Float[Array, "b H W"] | None:
  """A map per key, if the model takes one."""
  if not spec.quality_map:
    return None
  return jax.vmap(lambda key: quality_maps.draw(key, *shape[1:3]))(keys)


def _anneal(config: Any, step: Array) -> Float[Array, ""]:
  """The surrogate's temperature: geometric between its start and its end."""
  share = jnp.clip(step / config.temperature_steps, 0, 1)
  start, end = config.temperature_start, config.temperature_end
  return start * (end / start) ** share


def _gradient(
  loss: Callable, params: Params, examples: tuple, parts: int
) -> tuple[Params, dict[str, Array]]:
  """The mean gradient and metrics of examples, taken in `parts` turns."""
  of_part = jax.grad(loss, has_aux=True)
  if parts == 1:
    return of_part(params, *examples)

  def add(sums, part):
    return jax.tree.map(jnp.add, sums, of_part(params, *part)), None

  turns = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), examples)
  shapes = jax.eval_shape(of_part, params, *(x[0] for x in turns))
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  sums, _ = jax.lax.scan(add, zeros, turns, unroll=_unrolled())
  return jax.tree.map(lambda x: x / parts, sums)


def _follow(state: State, params: Params, decay: float) -> Params:
  # A young average follows closely, so that a short run has one worth using.
  age = state.step.astype(jnp.float32)
  decay = jnp.minimum(decay, (age + 1) / (age + 10))

  def follow(path, a, p):
    # What does not move has an average that does not.
    return p if path[-1].key in FIXED else a + (1 - decay) * (p - a)

  return jax.tree_util.tree_map_with_path(follow, state.average, params)
