"""What the loop of a training counts, and reads off its state now and then."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from jaxlic.errors import JaxlicError
from jaxlic.training import devices
from jaxlic.training.step import State


def count_steps(first: int, total: int, stride: int) -> Iterator[int]:
  """Returns the numbers of each dispatch's last step, behind a bar.

  Args:
    first: Steps that were taken before.
    total: The number of the last step.
    stride: Steps of a dispatch.

  Raises:
    JaxlicError: If the stride does not divide `first`.
  """
  if first % stride:
    raise JaxlicError(
      f"data.dispatch divides the step that a run goes on from, {first}, got "
      f"{stride}; set it to 1"
    )
  return iter(
    tqdm(
      range(first + stride, total + 1, stride),
      initial=first // stride,
      total=total // stride,
      unit_scale=stride,
      disable=None,
    )
  )


def close_window(state: State) -> tuple[State, dict[str, float]]:
  """Returns the state with its sums cleared, and their means."""
  totals = {name: float(value) for name, value in state.totals.items()}
  steps = totals.pop("steps") or float("nan")
  means = {name: value / steps for name, value in totals.items()}
  means["skipped"] = int(state.skipped)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state.totals)
  return state._replace(totals=devices.put(zeros)), means


def check_streak(state: State, config: Any, sound: Callable[[], Any]) -> None:
  """Stops a run that has come to nothing; waits for the steps in flight.

  Args:
    state: Of the run.
    config: The part `loss` of the run's configuration.
    sound: Returns the last whole checkpoint, or None.

  Raises:
    JaxlicError: If `config.max_skipped` steps in a row were skipped.
  """
  streak = int(state.streak)
  if streak < config.max_skipped:
    return
  most = config.max_norm
  large = f", or a gradient norm of {most} or more" if most < np.inf else ""
  raise JaxlicError(
    f"the last {streak} steps had a loss or gradient that was not finite"
    f"{large}; the last good checkpoint is {sound() or 'none'}: lower "
    "optimizer.learning_rate"
  )
