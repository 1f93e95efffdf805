import jax.numpy as jnp
import numpy as np

from tests.training.updates import GRADIENT, PARAMS, make


def opened(losses, is_open=(1.0, 0.0, 0.0), **fields):
  """The mask and the rate after each loss."""
  params = PARAMS | {"mask": {"open": jnp.asarray(is_open)}}
  gradient = GRADIENT | {"mask": {"open": jnp.ones(3)}}
  fields = {"open_threshold": 0.1} | fields
  optimizer = make(open_window=2, open_factor=0.01, **fields)
  state, masks, rates = optimizer.init(params), [], []
  for loss in losses:
    updates, state = optimizer.update(
      gradient, state, params, value=jnp.float32(loss)
    )
    mask = params["mask"]["open"] + updates["mask"]["open"]
    params = params | {"mask": {"open": mask}}
    masks.append(mask.tolist())
    rates.append(-float(updates["a"][0]))
  return masks, rates


def test_a_channel_opens_when_the_loss_stops_falling():
  one, two, three = [1, 0, 0], [1, 1, 0], [1, 1, 1]
  # Means of windows: 9, 7 (a gain of 22 %), 6.5 (7 %: opens); the next window
  # only sets a mean, so that the one after it is the first to open again.
  masks, _ = opened([10, 8, 7, 7, 6.5, 6.5, 6, 6, 6, 6])
  assert masks == [one] * 5 + [two] * 4 + [three]
  # A loss that rises opens, too, and one below 0 falls by its magnitude.
  assert opened([5, 5, 6, 6])[0] == [one] * 3 + [two]
  assert opened([-5, -5, -6, -6])[0] == [one] * 4
  assert opened([-5, -5, -5.1, -5.1])[0] == [one] * 3 + [two]


def test_a_threshold_of_zero_opens_when_nothing_is_gained():
  losses, one, two = [9, 9, 5, 5, 5, 5], [1, 0, 0], [1, 1, 0]
  masks, _ = opened(losses, open_threshold=0.0)
  assert masks == [one] * 6
  masks, _ = opened([9, 9, 5, 5, 6, 6], open_threshold=0.0)
  assert masks == [one] * 5 + [two]


def test_the_rate_falls_once_all_is_open_and_nothing_gains():
  _, rates = opened([5.0] * 8, is_open=(1.0, 1.0, 0.0))
  # Windows end at the 2nd, 4th (opens the last), 6th and 8th step (settles).
  np.testing.assert_allclose(rates[:7], 0.1, rtol=1e-4)
  np.testing.assert_allclose(rates[7], 0.001, rtol=1e-4)
