import numpy as np
import optax

from jaxlic.training import soap
from tests.training.updates import MATRICES, OTHERS, make, normal, updates_of


def rotation(n, seed):
  return np.linalg.qr(normal(n, n, seed=seed))[0]


def test_soap_does_the_same_in_any_orthogonal_basis():
  # Adam is the same under permutations alone.
  left, right = rotation(20, 1), rotation(20, 2)
  gradients = [normal(20, 20, seed=i) for i in range(23)]
  optimizer = make(name="soap")
  plain = updates_of(optimizer, [{"w": g} for g in gradients])
  turned = updates_of(optimizer, [{"w": left @ g @ right} for g in gradients])
  for a, b in zip(plain, turned, strict=True):
    np.testing.assert_allclose(left @ a["w"] @ right, b["w"], atol=2e-3)
  assert np.abs(plain[-1]["w"]).mean() > 0.01


def test_soap_begins_with_the_bases_alone():
  first, second = updates_of(make(name="soap"), [MATRICES | OTHERS] * 2)
  for name in MATRICES:
    np.testing.assert_array_equal(first[name], 0.0)
    assert np.abs(second[name]).mean() > 0.01
  for name, gradient in OTHERS.items():
    np.testing.assert_allclose(first[name], -0.1 * np.sign(gradient), rtol=1e-3)


def test_soap_without_a_basis_is_adam():
  optimizer = soap.scale_by_soap(b1=0.9, b2=0.99, longest=1)
  adam = optax.scale_by_adam(b1=0.9, b2=0.99)
  gradients = [{"w": normal(20, 16, seed=i)} for i in range(5)]
  # Which begins a step later.
  ours = updates_of(optimizer, gradients)[1:]
  wanted = updates_of(adam, gradients[1:])
  for a, b in zip(ours, wanted, strict=True):
    np.testing.assert_allclose(a["w"], b["w"], rtol=1e-4)
