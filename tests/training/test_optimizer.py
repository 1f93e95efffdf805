import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.training import optimizer, soap

PARAMS = {"a": jnp.ones(3), "b": {"c": jnp.ones(2)}}
# Adam's first steps move every parameter by the rate, whatever its gradient
# (Kingma, Ba, 2015, section 2.1), up to its epsilon of 1e-8.
GRADIENT = {"a": jnp.array([1.0, -2.0, 3.0]), "b": {"c": jnp.array([5.0, 1.0])}}


def make(**fields):
  config = default.get_config().optimizer
  config.update({"learning_rate": 0.1} | fields)
  return optimizer.make(config)


def rates(chain, steps, value=1.0):
  """How far each of so many steps moves parameter a[0]; values may differ."""
  values = np.broadcast_to(value, steps)
  state, found = chain.init(PARAMS), []
  for v in values:
    moved, state = chain.update(GRADIENT, state, PARAMS, value=jnp.float32(v))
    found.append(-float(moved["a"][0]))
  return found


def test_the_rate_is_constant_by_default():
  np.testing.assert_allclose(rates(make(), 5), 0.1, rtol=1e-4)


def test_the_rate_rises_linearly_while_warming_up():
  found = rates(make(warmup_steps=4), 6)
  np.testing.assert_allclose(
    found, [0, 0.025, 0.05, 0.075, 0.1, 0.1], rtol=1e-4, atol=1e-9
  )


def test_cosine_falls_to_its_share_at_the_last_step():
  chain = make(schedule="cosine", steps=10, warmup_steps=2, final=0.2)
  found = rates(chain, 11)[2:]
  angles = np.pi * np.arange(9) / 8
  expected = 0.1 * (0.2 + 0.8 * (1 + np.cos(angles)) / 2)
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_stable_falls_in_its_last_steps_alone():
  options = {"schedule": "stable", "warmup_steps": 2, "final": 0.1}
  found = rates(make(steps=9, decay_steps=4, **options), 10)
  expected = [0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.0775, 0.055, 0.0325, 0.01]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
  # More steps change nothing before the earlier decay.
  longer = rates(make(steps=30, decay_steps=4, **options), 6)
  np.testing.assert_array_equal(longer, found[:6])


def test_step_multiplies_the_rate_at_its_boundaries():
  chain = make(schedule="step", boundaries=(2, 4), factor=0.1, warmup_steps=1)
  found = rates(chain, 6)[1:]
  np.testing.assert_allclose(found, [0.1, 0.01, 0.01, 1e-3, 1e-3], rtol=1e-3)


def test_plateau_halves_the_rate_once_the_loss_stays():
  # Windows of 2 steps: the first sets a mean, the third is the second in a row
  # that is not lower, and so is every second one after that.
  chain = make(schedule="plateau", window=2, patience=2, factor=0.5)
  falling = rates(chain, 10, np.arange(10, 0, -1))
  np.testing.assert_allclose(falling, 0.1, rtol=1e-4)
  staying = rates(chain, 10, 1.0)
  expected = [0.1] * 5 + [0.05] * 4 + [0.025]
  np.testing.assert_allclose(staying, expected, rtol=1e-4)


def test_the_slow_group_moves_by_its_factor():
  chain = make(slow=("b",), slow_factor=0.2)
  moved, _ = chain.update(GRADIENT, chain.init(PARAMS), PARAMS, value=1.0)
  np.testing.assert_allclose(jnp.abs(moved["a"]), 0.1, rtol=1e-4)
  np.testing.assert_allclose(jnp.abs(moved["b"]["c"]), 0.02, rtol=1e-4)


def test_medians_neither_learn_nor_decay():
  params = PARAMS | {"z_density": {"bias0": jnp.ones(2), "median": jnp.ones(2)}}
  for slow in ((), ("z_density",)):
    chain = make(name="adamw", weight_decay=0.5, slow=slow)
    moved, _ = chain.update(params, chain.init(params), params, value=1.0)
    np.testing.assert_array_equal(moved["z_density"]["median"], 0.0)
    assert jnp.abs(moved["z_density"]["bias0"]).min() > 0


def test_adamw_decays_weights_beside_the_step():
  chain = make(name="adamw", weight_decay=0.5)
  moved, _ = chain.update(GRADIENT, chain.init(PARAMS), PARAMS, value=1.0)
  # -rate (sign of the gradient + decay times the weight, 1).
  expected = [-0.15, 0.05, -0.15]
  np.testing.assert_allclose(moved["a"], expected, rtol=1e-4)


def normal(*shape, seed=0):
  return jax.random.normal(jax.random.key(seed), shape)


def moves(chain, gradients):
  """What each of some gradients moves."""
  state, found = chain.init(gradients[0]), []
  for gradient in gradients:
    moved, state = chain.update(gradient, state, gradient)
    found.append(moved)
  return found


MATRICES = {"dense": normal(48, 20), "conv": normal(3, 3, 4, 20, seed=1)}
OTHERS = {
  "small": normal(8, 8),
  "gamma": normal(20, 20),  # GDN's, which is not negative
  "batch": normal(20, 3, 3),
  "bias": normal(20),
}


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_muon_moves_matrices_by_orthogonal_ones_and_the_rest_as_adam(factor):
  chain = make(name="muon", matrix_factor=factor, newton_schulz=5)
  (moved,) = moves(chain, [MATRICES | OTHERS])
  for name, gradient in MATRICES.items():
    flat = np.reshape(moved[name], (-1, 20))
    # Five steps bring singular values to 0.7..1.2 (Jordan, 2024), which is 0.2
    # in root mean square of an entry (Liu et al., 2025) at any shape.
    scale = 0.1 * factor * 0.2 * np.sqrt(max(flat.shape))
    values = np.linalg.svd(flat / scale, compute_uv=False)
    assert 0.6 < values.min() and values.max() < 1.3
    u, _, v = np.linalg.svd(gradient.reshape(-1, 20), full_matrices=False)
    np.testing.assert_allclose(
      np.sum((u @ v) * -flat) / scale / 20, 0.95, atol=0.15
    )
  for name, gradient in OTHERS.items():
    np.testing.assert_allclose(moved[name], -0.1 * np.sign(gradient), rtol=1e-3)


def test_muon_takes_as_many_newton_schulz_steps_as_told():
  def spread(steps):
    (moved,) = moves(make(name="muon", newton_schulz=steps), [MATRICES])
    values = np.linalg.svd(moved["dense"], compute_uv=False)
    return values.max() / values.min()

  gradient = np.linalg.svd(MATRICES["dense"], compute_uv=False)
  assert spread(5) < spread(1) < gradient.max() / gradient.min()


def rotation(n, seed):
  return np.linalg.qr(normal(n, n, seed=seed))[0]


def test_soap_does_the_same_in_any_orthogonal_basis():
  # Adam is the same under permutations alone.
  left, right = rotation(20, 1), rotation(20, 2)
  gradients = [normal(20, 20, seed=i) for i in range(23)]
  chain = make(name="soap")
  found = moves(chain, [{"w": g} for g in gradients])
  turned = moves(chain, [{"w": left @ g @ right} for g in gradients])
  for a, b in zip(found, turned, strict=True):
    np.testing.assert_allclose(left @ a["w"] @ right, b["w"], atol=2e-3)
  assert np.abs(found[-1]["w"]).mean() > 0.01


def test_soap_begins_with_the_bases_alone():
  first, second = moves(make(name="soap"), [MATRICES | OTHERS] * 2)
  for name in MATRICES:
    np.testing.assert_array_equal(first[name], 0.0)
    assert np.abs(second[name]).mean() > 0.01
  for name, gradient in OTHERS.items():
    np.testing.assert_allclose(first[name], -0.1 * np.sign(gradient), rtol=1e-3)


def test_soap_without_a_basis_is_adam():
  chain = soap.scale_by_soap(b1=0.9, b2=0.99, longest=1)
  adam = optax.scale_by_adam(b1=0.9, b2=0.99)
  gradients = [{"w": normal(20, 16, seed=i)} for i in range(5)]
  # Which begins a step later.
  found, wanted = moves(chain, gradients)[1:], moves(adam, gradients[1:])
  for a, b in zip(found, wanted, strict=True):
    np.testing.assert_allclose(a["w"], b["w"], rtol=1e-4)


def test_gradients_are_clipped_to_a_global_norm():
  # Adam forgets a constant factor, so look at its second step: a gradient
  # clipped from norm 6.3e4 to 1 moves as one of norm 1 does.
  first = {"a": jnp.array([1.0, 0, 0]), "b": {"c": jnp.zeros(2)}}
  large = {"a": jnp.array([1e4, 0, 0]), "b": {"c": jnp.zeros(2)}}

  def second(chain, gradient):
    _, state = chain.update(first, chain.init(PARAMS), PARAMS, value=1.0)
    moved, _ = chain.update(gradient, state, PARAMS, value=1.0)
    return moved["a"][0]

  clipped, free = make(clip_norm=1.0), make(clip_norm=default.NEVER)
  assert second(clipped, large) == second(clipped, first)
  assert second(free, large) != second(free, first)


@pytest.mark.parametrize(
  ("field", "value", "match"),
  [
    ("name", "sgd", "adam, adamw, muon, soap, got 'sgd'"),
    (
      "schedule",
      "linear",
      "constant, plateau, power, stable, cosine, step, got 'linear'",
    ),
  ],
)
def test_unknown_names_are_errors(field, value, match):
  with pytest.raises(JaxlicError, match=match):
    make(**{field: value})


def test_power_falls_as_published():
  # 1e-3 tau^k / (tau + t)^k, k = 0.8, tau = 1000, of Theis et al., 2017.
  chain = make(learning_rate=1e-3, schedule="power", delay=4, power=0.8)
  found = rates(chain, 5)
  expected = [1e-3 * 4**0.8 / (4 + t) ** 0.8 for t in range(5)]
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_only_named_groups_learn_and_decay():
  chain = make(name="adamw", weight_decay=0.5, only=("b",))
  moved, _ = chain.update(GRADIENT, chain.init(PARAMS), PARAMS, value=1.0)
  np.testing.assert_array_equal(moved["a"], 0.0)
  assert jnp.abs(moved["b"]["c"]).min() > 0


def opened(losses, is_open=(1.0, 0.0, 0.0), **fields):
  """The mask and the rate after each loss."""
  params = PARAMS | {"mask": {"open": jnp.asarray(is_open)}}
  gradient = GRADIENT | {"mask": {"open": jnp.ones(3)}}
  fields = {"open_threshold": 0.1} | fields
  chain = make(open_window=2, open_factor=0.01, **fields)
  state, masks, found = chain.init(params), [], []
  for loss in losses:
    moved, state = chain.update(
      gradient, state, params, value=jnp.float32(loss)
    )
    mask = params["mask"]["open"] + moved["mask"]["open"]
    params = params | {"mask": {"open": mask}}
    masks.append(mask.tolist())
    found.append(-float(moved["a"][0]))
  return masks, found


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
  _, found = opened([5.0] * 8, is_open=(1.0, 1.0, 0.0))
  # Windows end at the 2nd, 4th (opens the last), 6th and 8th step (settles).
  np.testing.assert_allclose(found[:7], 0.1, rtol=1e-4)
  np.testing.assert_allclose(found[7], 0.001, rtol=1e-4)
