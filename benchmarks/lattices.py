"""Time of LVQAC beside its backbone: the same image, weights and run.

    python benchmarks/lattices.py PHOTO [--repeats 7]

Both at published widths with random weights, in either order of decoding. The
median of several calls, warm.
"""

import argparse
import statistics
import time

import jax
import numpy as np

from jaxlic import codec, models
from jaxlic.data import images

BACKBONES = {
  "raster": ("mbt2018", "lvqac-minnen2018"),
  "checkerboard": ("mbt2018-checkerboard", "lvqac-minnen2018"),
}
VARIANTS = {
  "lattice": {"companding": "none"},
  "companding": {"lattice": "Zn", "companding": "hyper"},
  "both": {"companding": "hyper"},
  "e8": {"lattice": "E8", "coset": "modelled", "companding": "none"},
}


def main():
  """Prints seconds, and ratios to the backbone."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("photo")
  parser.add_argument("--repeats", type=int, default=7)
  options = parser.parse_args()
  image = images.read(options.photo).pixels / np.float32(255)
  for order, (scalar, lattice) in BACKBONES.items():
    backbone = models.make(scalar)
    params = jax.jit(backbone.init)(jax.random.key(0))
    variants = {"scalar": backbone} | {
      name: models.make(lattice, order=order, **variant)
      for name, variant in VARIANTS.items()
    }
    calls = {name: _calls(m, params, image) for name, m in variants.items()}
    _print(order, _interleaved(calls, options.repeats))


def _calls(model, params, image):
  """Encoding and decoding, compiled; with the backbone's weights."""
  built = codec.make(model)
  params = jax.jit(model.init)(jax.random.key(0)) | params
  tables = built.freeze(params)
  payload = built.encode(params, tables, image, 0.0)

  def encode():
    built.encode(params, tables, image, 0.0)

  def decode():
    built.decode(params, tables, payload).block_until_ready()

  decode()
  return encode, decode


def _interleaved(calls, repeats):
  """Medians [encode, decode] by name, each repeat after all others."""
  seconds = {name: ([], []) for name in calls}
  for _ in range(repeats):
    for name, pair in calls.items():
      for call, times in zip(pair, seconds[name], strict=True):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
  return {
    name: [statistics.median(times) for times in pair]
    for name, pair in seconds.items()
  }


def _print(order, medians):
  for name, (encode, decode) in medians.items():
    first = medians["scalar"]
    print(
      f"{order} {name}: encode {encode:.3f} s ({encode / first[0]:.2f}x), "
      f"decode {decode:.3f} s ({decode / first[1]:.2f}x)"
    )


if __name__ == "__main__":
  main()
