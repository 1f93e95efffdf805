"""Universal quantization: rounding on a grid that a random offset shifts.

The error of `round(y - u) + u` is uniform whatever y is, as if noise had been
added; unlike noise, a coder could send it, since both sides can draw u.

References:
  Ziv, "On universal quantization", IEEE Trans. Information Theory 31(3), 1985.
  Choi, El-Khamy, Lee, "Variable rate deep image compression with a conditional
  autoencoder", 2019 (as the surrogate of training).
  Agustsson, Theis, "Universally quantized neural compression", 2020, section 3.
"""

import jax.numpy as jnp

from jaxlic.quantize.rounding import (
  Keys,
  Latent,
  Temperature,
  both,
  draw,
  straight_through,
)
from jaxlic.types import Known, Relaxed


def surrogate(
  latent: Latent, known: Known, keys: Keys, temperature: Temperature
) -> Relaxed:
  """Rates and decodes `round(y - u) + u`; the gradient passes straight through.

  One u per image, on [-1/2, 1/2), is shared by its latents.
  """
  offset = draw(keys, (1,) * (latent.ndim - 1))
  shifted = jnp.round(latent - offset) + offset
  return both(straight_through(shifted, latent))
