"""Glue: the vectors by which the cosets that make up a lattice are moved.

See `points.py` for which lattices, and cosets of what.

References:
  Conway, Sloane, "Sphere packings, lattices and groups", 1999, chapters 3 (the
  Golay code) and 4 (E_8, Barnes-Wall and Leech lattices).
"""

import functools

import numpy as np
from jaxtyping import Float, Int

# Coefficients of x^0.. of the Golay code's generator polynomial.
GOLAY = (1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1, 1)


@functools.cache
def glue_vectors(name: str, n: int) -> Float[np.ndarray, "m n"]:
  """Returns the glue of a lattice: 0, then multiples of 1/2 or 1/4."""
  if name in ("Zn", "Dn"):
    glue = np.zeros((1, n))
  elif name in ("A2", "Dn*", "E8"):
    glue = np.stack([np.zeros(n), np.full(n, 0.5)])
  elif name == "BW16":
    place = np.arange(n)  # RM(1, 4), whose words are halved
    rows = [place // n + 1, *(place >> k & 1 for k in range(4))]
    glue = _words(np.array(rows)) / 2
  else:
    code = _words(_golay()) / 2
    # Those of odd coordinates, in the usual scale of 4, have an odd sum.
    odd = code + 0.25
    odd[:, -1] = (odd[:, -1] + 1) % 2
    glue = np.concatenate([code, odd])
  return glue.astype(np.float32)


def _words(generator: Int[np.ndarray, "k n"]) -> Int[np.ndarray, "m n"]:
  """All words of a binary code, 0 first."""
  messages = np.arange(2 ** len(generator))[:, None]
  return (messages >> np.arange(len(generator)) & 1) @ generator % 2


def _golay() -> Int[np.ndarray, "12 24"]:
  """A generator of the extended Golay code: shifts, and a bit of parity."""
  shifts = [np.roll([*GOLAY, *[0] * 11], k) for k in range(12)]
  return np.array([[*row, row.sum() % 2] for row in shifts])
