import numpy as np

from tests.training.updates import make, rates


def test_the_rate_is_constant_by_default():
  np.testing.assert_allclose(rates(make(), 5), 0.1, rtol=1e-4)


def test_the_rate_rises_linearly_while_warming_up():
  moved = rates(make(warmup_steps=4), 6)
  np.testing.assert_allclose(
    moved, [0, 0.025, 0.05, 0.075, 0.1, 0.1], rtol=1e-4, atol=1e-9
  )


def test_cosine_falls_to_its_share_at_the_last_step():
  optimizer = make(schedule="cosine", steps=10, warmup_steps=2, final=0.2)
  moved = rates(optimizer, 11)[2:]
  angles = np.pi * np.arange(9) / 8
  expected = 0.1 * (0.2 + 0.8 * (1 + np.cos(angles)) / 2)
  np.testing.assert_allclose(moved, expected, rtol=1e-4)


def test_stable_falls_in_its_last_steps_alone():
  options = {"schedule": "stable", "warmup_steps": 2, "final": 0.1}
  moved = rates(make(steps=9, decay_steps=4, **options), 10)
  expected = [0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.0775, 0.055, 0.0325, 0.01]
  np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-9)
  # More steps change nothing before the earlier decay.
  longer = rates(make(steps=30, decay_steps=4, **options), 6)
  np.testing.assert_array_equal(longer, moved[:6])


def test_step_multiplies_the_rate_at_its_boundaries():
  optimizer = make(
    schedule="step", boundaries=(2, 4), factor=0.1, warmup_steps=1
  )
  moved = rates(optimizer, 6)[1:]
  np.testing.assert_allclose(moved, [0.1, 0.01, 0.01, 1e-3, 1e-3], rtol=1e-3)


def test_plateau_halves_the_rate_once_the_loss_stays():
  # Windows of 2 steps: the first sets a mean, the third is the second in a row
  # that is not lower, and so is every second one after that.
  optimizer = make(schedule="plateau", window=2, patience=2, factor=0.5)
  falling = rates(optimizer, 10, np.arange(10, 0, -1))
  np.testing.assert_allclose(falling, 0.1, rtol=1e-4)
  staying = rates(optimizer, 10, 1.0)
  expected = [0.1] * 5 + [0.05] * 4 + [0.025]
  np.testing.assert_allclose(staying, expected, rtol=1e-4)


def test_power_falls_as_published():
  # 1e-3 tau^k / (tau + t)^k, k = 0.8, tau = 1000, of Theis et al., 2017.
  optimizer = make(learning_rate=1e-3, schedule="power", delay=4, power=0.8)
  moved = rates(optimizer, 5)
  expected = [1e-3 * 4**0.8 / (4 + t) ** 0.8 for t in range(5)]
  np.testing.assert_allclose(moved, expected, rtol=1e-4)
