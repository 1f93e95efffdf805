import numpy as np
import pytest

from jaxlic.compressai import names
from jaxlic.errors import JaxlicError
from tests.compressai import fixture_files

# By what they do to the names of release 1.2.8: those of DataParallel, of the
# zoo's weights, and of the first releases (zoo/pretrained.py, models/utils.py).
OLD_FORMS = {
  "parallel": [("", "module.")],
  "zoo": [
    ("entropy_bottleneck.matrices.", "entropy_bottleneck._matrix"),
    ("entropy_bottleneck.biases.", "entropy_bottleneck._bias"),
    ("entropy_bottleneck.factors.", "entropy_bottleneck._factor"),
    (".skip.", ".downsample."),
  ],
  "first": [
    ("entropy_bottleneck.matrices.", "entropy_bottleneck._matrices."),
    ("entropy_bottleneck.biases.", "entropy_bottleneck._biases."),
    ("entropy_bottleneck.factors.", "entropy_bottleneck._factors."),
  ],
}


def renamed(state, form):
  def rename(key):
    for new, old in OLD_FORMS[form]:
      key = key.replace(new, old) if new else old + key
    return key

  return {rename(key): array for key, array in state.items()}


@pytest.mark.parametrize("form", OLD_FORMS)
@pytest.mark.parametrize("name", ["cheng2020-anchor", "elic2022"])
def test_old_names_become_the_same_as_new_ones(name, form):
  state = fixture_files.state(name)
  expected = names.canonical(state)
  from_old = names.canonical(renamed(state, form))
  assert renamed(state, form).keys() != state.keys()
  assert list(from_old) == list(expected)
  assert all(
    from_old[key] is state_array for key, state_array in expected.items()
  )


def test_constants_are_left_out_and_weights_are_not():
  state = fixture_files.state("bmshj2018-hyperprior")
  weights = names.canonical(state)
  dropped = {key.split(".")[-1] for key in set(state) - set(weights)}
  assert dropped >= {"pedestal", "bound", "target", "scale_bound", "0", "4"}
  assert {"entropy_bottleneck._matrix0", "g_a.1.beta"} <= set(weights)
  assert not any(key.endswith(("bound", "pedestal")) for key in weights)


def test_another_bound_is_refused():
  state = fixture_files.state("bmshj2018-hyperprior")
  key = "gaussian_conditional.lower_bound_scale.bound"
  with pytest.raises(JaxlicError, match=r"is 0.11, got \[0.5\]; such a model"):
    names.canonical(state | {key: np.array([0.5], np.float32)})


def test_a_weight_twice_is_refused():
  array = np.zeros(3)
  weights = {"module.g_a.0.bias": array, "g_a.0.bias": array}
  with pytest.raises(JaxlicError, match="g_a.0.bias again as g_a.0.bias"):
    names.canonical(weights)
