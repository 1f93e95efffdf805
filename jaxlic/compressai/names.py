"""CompressAI's names of weights: old forms become one, constants go.

| in a checkpoint | here |
|---|---|
| `module.KEY`, of torch's DataParallel | `KEY` |
| `.downsample.`, of the first releases | `.skip.` |
| `entropy_bottleneck._matrices.N`, of the first releases | `._matrixN` |
| `entropy_bottleneck.matrices.N`, of the newest | `._matrixN` |
| likewise `biases`, `factors` | `._biasN`, `._factorN` |

References:
  Begaint et al., "CompressAI", 2020; zoo/pretrained.py and models/utils.py of
  release 1.2.8.
"""

import re
from collections.abc import Mapping

import numpy as np

from jaxlic.errors import JaxlicError

SINGULAR = {"matrices": "_matrix", "biases": "_bias", "factors": "_factor"}
# Numbers that a state dict repeats; other values would be another model.
CONSTANTS = {
  "beta_reparam.lower_bound.bound": (1e-6 + 2.0**-36) ** 0.5,
  "gamma_reparam.lower_bound.bound": 2.0**-18,
  "beta_reparam.pedestal": 2.0**-36,
  "gamma_reparam.pedestal": 2.0**-36,
  "likelihood_lower_bound.bound": 1e-9,
  "lower_bound_scale.bound": 0.11,
  "gaussian_conditional.scale_bound": 0.11,
}
# What follows from the architecture, or served its training alone.
_UNUSED = ("entropy_bottleneck.target", "context_prediction.mask")
_LISTED = re.compile(
  r"(?<=entropy_bottleneck\.)_?(matrices|biases|factors)\.(\d+)$"
)


def canonical(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns the weights under one form of their names, without constants.

  Raises:
    JaxlicError: If two names become one, or a constant has another value.
  """
  renamed: dict[str, np.ndarray] = {}
  for key, array in weights.items():
    name = _rename(key)
    if name in renamed:
      raise JaxlicError(
        f"a checkpoint has each weight once, this one has {name} again as "
        f"{key}; remove one of them"
      )
    renamed[name] = array
  return {k: v for k, v in renamed.items() if not _is_constant(k, v)}


def _rename(key: str) -> str:
  key = key.removeprefix("module.").replace(".downsample.", ".skip.")
  return _LISTED.sub(lambda match: SINGULAR[match[1]] + match[2], key)


def _is_constant(name: str, array: np.ndarray) -> bool:
  if name.endswith(_UNUSED):
    return True
  for suffix, value in CONSTANTS.items():
    if name.endswith(suffix):
      # A model of half precision has them in half precision.
      rounded = np.asarray(value).astype(array.dtype).astype(np.float64)
      if not np.allclose(array.astype(np.float64), rounded, rtol=1e-2, atol=0):
        raise JaxlicError(
          f"{name} of imported models is {value:.6g}, got "
          f"{array.ravel()[:1].tolist()}; such a model is not supported"
        )
      return True
  return False
