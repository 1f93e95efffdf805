"""Generalized divisive normalization, in published forms and any other.

| preset | y_i = x_i / | source |
|---|---|---|
| "sqrt" | sqrt(beta_i + sum_j gamma_ij x_j^2) | Balle 2016; the default |
| "simplified" | beta_i + sum_j gamma_ij abs(x_j) | Johnston 2019, "GDN1" |
| "square" | beta_i + sum_j gamma_ij x_j^2 | a seminar's; see below |

A preset is a row of constants, and any of them may be another: a model's option
`norm` is a preset's name, or {"preset": "sqrt", "beta_min": 1e-5}.

The form without a root is not monotone: x / (beta + gamma x^2) rises until
x = sqrt(beta / gamma) and decays to 0 after, so two inputs share one output.

References:
  Balle, Laparra, Simoncelli, "Density modeling of images using a generalized
  normalization transformation", 2016, section 2.
  Begaint et al., "CompressAI", 2020, layers/gdn.py (constants of "sqrt" and
  "simplified").
  Johnston et al., "Computationally efficient neural image compression", 2019.
  "End to end compression", a seminar of USTC ("square" and its constants).
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.nn.bounds import lower_bound


@dataclasses.dataclass(frozen=True)
class Constants:
  """What makes a form of GDN."""

  beta_init: float = 1.0  # of every beta, above 0
  gamma_init: float = 0.1  # of gamma's diagonal, 0 or more; the rest is 0
  beta_min: float = 1e-6  # above 0, else a channel of zeros is divided by 0
  gamma_min: float = 0.0  # 0 or more, of all of gamma
  offset: float = 2.0**-18  # above 0: of the roots that are kept, see GDN
  symmetric: bool = False  # gamma's roots are averaged with their transpose
  power: int = 2  # of abs(x_j), 1 or 2
  root: bool = True  # whether the sum's square root divides


PRESETS = {
  "sqrt": Constants(),
  "simplified": Constants(power=1, root=False),
  "square": Constants(
    beta_init=0.1, gamma_min=1e-6, offset=2e-5, symmetric=True, root=False
  ),
}
RULES = (
  "beta_init, beta_min, offset above 0; gamma_init, gamma_min 0 or more; "
  "power 1 or 2; symmetric, root True or False"
)


def constants(norm: str | Mapping[str, Any]) -> Constants:
  """Returns the constants of a preset, those of them changed that are given.

  Args:
    norm: A preset's name; or its name as "preset" beside other constants.

  Raises:
    ValueError: If there is no such preset or constant, or a constant has a
      value that it cannot have.
  """
  changed = {"preset": norm} if isinstance(norm, str) else dict(norm)
  name = changed.pop("preset", None)
  if not isinstance(name, str) or name not in PRESETS:
    raise ValueError(
      f"a preset of GDN is one of {', '.join(PRESETS)}, got {norm!r}; name one"
    )
  for constant, value in changed.items():
    if not _holds(constant, value):
      raise ValueError(
        f"constants of GDN are {RULES}, got {constant} = {value!r}; correct it"
      )
    changed[constant] = type(getattr(PRESETS[name], constant))(value)
  return dataclasses.replace(PRESETS[name], **changed)


def _holds(constant: str, value: Any) -> bool:
  """Whether there is that constant, and it can have that value."""
  is_flag = isinstance(value, bool)
  if constant in ("symmetric", "root"):
    return is_flag
  if is_flag or not isinstance(value, int | float) or not math.isfinite(value):
    return False
  if constant in ("beta_init", "beta_min", "offset"):
    return value > 0
  if constant in ("gamma_init", "gamma_min"):
    return value >= 0
  return constant == "power" and isinstance(value, int) and value in (1, 2)


class GDN(nn.Module):
  """Divisive normalization over channels; its approximate inverse multiplies.

  beta starts at `beta_init`, gamma at `gamma_init` times the identity. Both are
  kept as roots, `v' = sqrt(max(v + offset^2, offset^2))`, and used as
  `max(v', sqrt(v_min + offset^2))^2 - offset^2`, so that they stay at or above
  `beta_min` and `gamma_min`; roots under their bound feel only gradients that
  raise them. If `symmetric`, gamma's are averaged with their transpose before.

  The inverse is one step of the fixed-point iteration, with parameters of its
  own. It computes in float32, for sums of squares need more than bfloat16's 8
  bits, and returns its input's type.
  """

  inverse: bool = False
  norm: Constants = PRESETS["sqrt"]

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    dtype, x, norm = x.dtype, x.astype(jnp.float32), self.norm
    c = x.shape[-1]
    beta = self.param(
      "beta", lambda _: self._roots(norm.beta_init, jnp.ones(c))
    )
    gamma = self.param(
      "gamma", lambda _: self._roots(norm.gamma_init, jnp.eye(c))
    )
    if norm.symmetric:
      gamma = (gamma + gamma.T) / 2
    beta = self._bounded(beta, norm.beta_min)
    gamma = self._bounded(gamma, norm.gamma_min)
    power = jnp.abs(x) if norm.power == 1 else x * x
    # gamma's row i belongs to output i: an einsum is faster here than a 1x1
    # convolution, and float32 at full precision keeps the sum exact enough.
    pool = jnp.einsum(
      "bhwj,ij->bhwi", power, gamma, precision=jax.lax.Precision.HIGHEST
    )
    divisor = pool + beta[None, None, None]
    if norm.root:
      divisor = jnp.sqrt(divisor)
    return (x * divisor if self.inverse else x / divisor).astype(dtype)

  def _roots(self, start: float, ones: Array) -> Array:
    """What is kept of `start` times zeros and ones."""
    pedestal = self.norm.offset**2
    return jnp.sqrt(jnp.maximum(start * ones + pedestal, pedestal))

  def _bounded(self, roots: Array, minimum: float) -> Array:
    """What the roots stand for."""
    pedestal = self.norm.offset**2
    return lower_bound(roots, (minimum + pedestal) ** 0.5) ** 2 - pedestal
