"""Rounding that weighs bits against error: a dead zone that fits the density.

A symbol k costs `bits(k)`, its error e costs `weight * e^2` bits. At the step
that is optimal at high rate the weight is `6 / ln 2 = 8.66`, whatever lambda:
with D = step^2 / 12 and 6.02 dB per bit, dR/dD = -6 / (ln 2 step^2). For
`f = |y - mean|` in [0, 1] the symbol 0 is cheaper than 1 as long as

    weight * f^2 + bits(0) < weight * (1 - f)^2 + bits(1)

so values are rounded towards the mean up to the threshold
`1/2 + (bits(1) - bits(0)) / (2 weight)`, which grows as the scale falls: 0.50
at scale 4, 0.54 at 1, 0.62 at 1/2, 0.81 at 1/4, and is capped at 0.95. Larger
symbols keep this fraction; theirs would be higher, for a Gaussian's bits grow
ever faster. Only the encoder knows; the decoder reads symbols as ever.

References:
  Sullivan, "Efficient scalar quantization of exponential and Laplacian random
  variables", IEEE Trans. Information Theory 42(5), 1996 (dead zones);
  the threshold for a Gaussian is derived above.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlic.quantize import rounding
from jaxlic.types import Prediction, Quantizer, Surrogate, ToSymbols

HIGH_RATE_WEIGHT = 8.656170245  # 6 / ln 2


def threshold(
  scale: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
  """Returns the fraction from which a value of this scale rounds away.

  `scale` is the standard deviation of the Gaussian, in steps; the threshold
  lies in [0.5, 0.95].
  """
  half = 0.5 / jnp.maximum(scale, 0.11)
  inner = jax.scipy.special.erf(half / jnp.sqrt(2.0))
  outer = jax.scipy.special.erf(3 * half / jnp.sqrt(2.0))
  bits = jnp.log2(inner / jnp.maximum((outer - inner) / 2, 1e-9))
  return jnp.clip(0.5 + bits / (2 * HIGH_RATE_WEIGHT), 0.5, 0.95)


def make(
  scale_of: Callable[[Prediction], Float[Array, "*shape"]],
  relaxed: Callable[[ToSymbols], Surrogate] = rounding.mixed,
) -> Quantizer:
  """Returns the quantizer.

  Args:
    scale_of: Maps a prediction to the Gaussian's standard deviation.
    relaxed: From `to_symbols` to the surrogate: `rounding.mixed`, which rates
      noise and decodes symbols, or `straight_through.rounded`, which rates
      these, too.
  """

  def to_symbols(
    latent: Float[Array, "b *positions c"], prediction: Prediction
  ) -> Int[Array, "b *positions c"]:
    residual = latent - prediction.mean
    away = 1.0 - threshold(scale_of(prediction))
    size = jnp.floor(jnp.abs(residual) + away)
    return (jnp.sign(residual) * size).astype(jnp.int32)

  return Quantizer(relaxed(to_symbols), to_symbols, rounding.from_symbols)
