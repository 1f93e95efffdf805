"""What the bound of theis2017's training says of a codec, and what files cost.

    python benchmarks/bound_gap.py FOLDER CODEC...

Bits per pixel on the photographs of a folder: the exact rate, the bound's mean
over DRAWS samples of noise, and the files, each codec at its default quality.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic import codec, models, zoo
from jaxlic.data import images
from jaxlic.evaluation import sweep
from jaxlic.quantize import rounding

DRAWS = 8


def main():
  """Prints a row per codec."""
  folder, *codecs = sys.argv[1:]
  photos = [images.read(path) for path in images.list_photos(folder)]
  print("codec", "exact", "bound", "gap", "file", sep=" | ")
  for path in codecs:
    trained = zoo.load(path)
    bound_bits = make_bound(trained)
    rows = [measure(trained, bound_bits, photo) for photo in photos]
    exact, bound, file = np.mean(rows, 0)
    numbers = (f"{x:.4f}" for x in (exact, bound, bound - exact, file))
    print(trained.name, *numbers, sep=" | ")


def make_bound(trained):
  """Returns the function (params, image [1 H W 3], keys) -> mean bits."""
  options = trained.options | {"rated": "bound", "surrogate": "straight"}
  model = models.make(trained.architecture, **options)
  (stage,) = model.stages
  level = jnp.full((1,), model.spec.max_quality / 2)

  @jax.jit
  def bound(params, image, keys):
    grid = tuple(side // model.spec.stride for side in image.shape[1:3])
    context = codec.begin(level)
    latent = codec.analyze(model, params, image, context["quality"])["y"]
    prediction = stage.predict(params, context, grid)
    z = rounding.to_symbols(latent, prediction).astype(jnp.float32)

    def draw(key):
      noisy = z + rounding.draw(key[None], z.shape[1:])
      return stage.density.training_bits(params, noisy, prediction).sum()

    return jax.lax.map(draw, keys).mean()

  return bound


def measure(trained, bound_bits, photo):
  """Bits per pixel of one photograph: exact, bound, file."""
  image = photo.pixels / np.float32(255)
  height, width = image.shape[:2]
  pad = [(0, -side % trained.spec.stride) for side in (height, width)]
  padded = jnp.asarray(np.pad(image, [*pad, (0, 0)], "edge")[None])
  keys = jax.random.split(jax.random.key(0), DRAWS)
  bits = bound_bits(trained.params, padded, keys)
  middle = trained.spec.max_quality / 2
  point = sweep.measure(photo, model=trained, quality=middle)
  return point.estimated_bpp, float(bits) / (height * width), point.bpp


if __name__ == "__main__":
  main()
