"""How the rate of learning changes from step to step.

After a linear rise from 0 over `warmup_steps`, the rate r is

| schedule | at step t after the rise |
|---|---|
| constant | r |
| stable | r, but falls linearly to `final` r in the last `decay_steps` |
| cosine | falls to `final` r at `steps` |
| step | r times `factor` at each of `boundaries` |
| power | r `(delay / (delay + t)) ** power` |
| plateau | r; `optimizer` reduces it where the loss no longer falls |

References:
  Hu et al., "MiniCPM", 2024, section 4 ("stable"); Theis, Shi, Cunningham,
  Huszar, "Lossy image compression with compressive autoencoders", 2017, section
  3.1 and eq. 13 ("power").
"""

from typing import Any

import optax

from jaxlic.training import rules


def make(config: Any, factor: float = 1.0) -> optax.Schedule:
  """Returns the rate by step, of an optimizer's configuration.

  Args:
    config: See `config.Optimizer`.
    factor: Multiplies every rate.

  Raises:
    JaxlicError: If there is no such schedule.
  """
  rules.check("optimizer.schedule", config.schedule, rules.one_of(*NAMES))
  rate = factor * config.learning_rate
  after = _SCHEDULES[config.schedule](config, rate)
  if config.warmup_steps == 0:
    return after
  rise = optax.linear_schedule(0.0, rate, config.warmup_steps)
  return optax.join_schedules([rise, after], [config.warmup_steps])


def _constant(config: Any, rate: float) -> optax.Schedule:
  return optax.constant_schedule(rate)


def _power(config: Any, rate: float) -> optax.Schedule:
  delay, power = config.delay, config.power
  return lambda step: rate * (delay / (delay + step)) ** power


def _stable(config: Any, rate: float) -> optax.Schedule:
  falling = optax.linear_schedule(rate, config.final * rate, config.decay_steps)
  begin = config.steps - config.warmup_steps - config.decay_steps
  return optax.join_schedules([optax.constant_schedule(rate), falling], [begin])


def _cosine(config: Any, rate: float) -> optax.Schedule:
  rest = config.steps - config.warmup_steps
  return optax.cosine_decay_schedule(rate, rest, config.final)


def _step(config: Any, rate: float) -> optax.Schedule:
  boundaries = [b - config.warmup_steps for b in config.boundaries]
  return optax.piecewise_constant_schedule(
    rate, dict.fromkeys(boundaries, config.factor)
  )


_SCHEDULES = {
  "constant": _constant,
  "plateau": _constant,
  "power": _power,
  "stable": _stable,
  "cosine": _cosine,
  "step": _step,
}
NAMES = tuple(_SCHEDULES)
