"""The type in which a model's convolutions compute.

Parameters, and all between the networks - quantization, likelihoods, gains,
fixed transforms, the loss - are float32 either way. The type belongs to
training: codecs are evaluated in float32, since two sides must agree.
"""

from jaxlic.errors import JaxlicError
from jaxlic.types import DTYPES


def checked(dtype: str) -> str:
  """Returns `dtype`.

  Raises:
    JaxlicError: If it is none of DTYPES.
  """
  if dtype not in DTYPES:
    raise JaxlicError(
      f"a model computes in {' or '.join(DTYPES)}, got {dtype!r}; choose one "
      "of them"
    )
  return dtype
