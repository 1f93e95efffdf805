"""Generalized divisive normalization, in three published forms.

| norm | y_i = x_i / | source |
|---|---|---|
| "sqrt" | sqrt(beta_i + sum_j gamma_ij x_j^2) | Balle 2016; the default |
| "simplified" | beta_i + sum_j gamma_ij abs(x_j) | Johnston 2019, "GDN1" |
| "square" | beta_i + sum_j gamma_ij x_j^2 | legacy; see below |

The form without a root is not monotone: x / (beta + gamma x^2) rises until
x = sqrt(beta / gamma) and decays to 0 after, so two inputs share one output.

References:
  Balle, Laparra, Simoncelli, "Density modeling of images using a generalized
  normalization transformation", 2016, section 2.
  Johnston et al., "Computationally efficient neural image compression", 2019.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlic.nn.bounds import lower_bound

PEDESTAL = 2.0**-36
BETA_MIN = 1e-6
NORMS = ("sqrt", "simplified", "square")


class GDN(nn.Module):
  """Divisive normalization over channels; its approximate inverse multiplies.

  beta starts at 1, gamma at 0.1 times the identity. Both are kept as
  `v' = sqrt(v + 2^-36)` and used as `max(v', sqrt(v_min + 2^-36))^2 - 2^-36`,
  so that they stay at or above v_min (1e-6 and 0) with gradients that vanish
  towards it. The inverse is one step of the fixed-point iteration, with
  parameters of its own. It computes in float32, for sums of squares need more
  than bfloat16's 8 bits, and returns its input's type.

  Raises:
    ValueError: If `norm` is none of NORMS.
  """

  inverse: bool = False
  norm: str = "sqrt"

  @nn.compact
  def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    if self.norm not in NORMS:
      raise ValueError(f"norm is one of {', '.join(NORMS)}, got {self.norm!r}")
    dtype, x = x.dtype, x.astype(jnp.float32)
    c = x.shape[-1]
    beta = self.param("beta", lambda _: _to_parameter(jnp.ones(c)))
    gamma = self.param("gamma", lambda _: _to_parameter(0.1 * jnp.eye(c)))
    beta = _from_parameter(beta, BETA_MIN)
    gamma = _from_parameter(gamma, 0.0)
    power = jnp.abs(x) if self.norm == "simplified" else x * x
    # gamma's row i belongs to output i: an einsum is faster here than a 1x1
    # convolution, and float32 at full precision keeps the sum exact enough.
    pool = jnp.einsum(
      "bhwj,ij->bhwi", power, gamma, precision=jax.lax.Precision.HIGHEST
    )
    divisor = pool + beta[None, None, None]
    if self.norm == "sqrt":
      divisor = jnp.sqrt(divisor)
    return (x * divisor if self.inverse else x / divisor).astype(dtype)


def _to_parameter(value):
  return jnp.sqrt(jnp.maximum(value + PEDESTAL, PEDESTAL))


def _from_parameter(parameter, minimum):
  bound = (minimum + PEDESTAL) ** 0.5
  return lower_bound(parameter, bound) ** 2 - PEDESTAL
