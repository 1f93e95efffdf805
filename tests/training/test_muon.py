import numpy as np
import pytest

from tests.training.updates import MATRICES, OTHERS, make, updates_of


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_muon_moves_matrices_by_orthogonal_ones_and_the_rest_as_adam(factor):
  optimizer = make(name="muon", matrix_factor=factor, newton_schulz=5)
  (updates,) = updates_of(optimizer, [MATRICES | OTHERS])
  for name, gradient in MATRICES.items():
    flat = np.reshape(updates[name], (-1, 20))
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
    np.testing.assert_allclose(
      updates[name], -0.1 * np.sign(gradient), rtol=1e-3
    )


def test_muon_takes_as_many_newton_schulz_steps_as_told():
  def spread(steps):
    (updates,) = updates_of(make(name="muon", newton_schulz=steps), [MATRICES])
    values = np.linalg.svd(updates["dense"], compute_uv=False)
    return values.max() / values.min()

  gradient = np.linalg.svd(MATRICES["dense"], compute_uv=False)
  assert spread(5) < spread(1) < gradient.max() / gradient.min()
