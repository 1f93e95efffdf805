"""One layer's weights, from PyTorch's form to ours.

Images are NCHW there and NHWC here, so kernels change the order of their axes.
Layers are given and returned as arrays by their last name.

References:
  Begaint et al., "CompressAI", 2020; layers/ and entropy_models/ of release
  1.2.8.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxlic.densities import factorized

Arrays = dict[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]
DEPTH = len(factorized.FILTERS)


class Kind(NamedTuple):
  """A kind of layer."""

  names: tuple[str, ...]  # of its weights there
  shapes: Callable[[Shapes], Shapes]  # from the shapes of ours to theirs
  convert: Callable[[Arrays], Arrays]  # from their weights to ours


def conv(weights: Arrays) -> Arrays:
  """Returns a convolution: the kernel is OIHW there and HWIO here."""
  kernel = weights["weight"].transpose(2, 3, 1, 0)
  return {"kernel": kernel, "bias": weights["bias"]}


def up_conv(weights: Arrays) -> Arrays:
  """Returns a transposed convolution: IOHW there, and flipped HWIO here."""
  kernel = weights["weight"].transpose(2, 3, 0, 1)[::-1, ::-1]
  return {"kernel": kernel, "bias": weights["bias"]}


def subpixel(weights: Arrays) -> Arrays:
  """Returns a convolution before a depth-to-space by 2.

  Its output channels are (c, i, j) there and (i, j, c) here, for the pixel in
  row i and column j of a block.
  """
  number = np.arange(len(weights["bias"]))
  order = number.reshape(-1, 2, 2).transpose(1, 2, 0).ravel()
  return conv({name: array[order] for name, array in weights.items()})


def dense(weights: Arrays) -> Arrays:
  """Returns a convolution of size 1 as a matrix, IO here."""
  kernel = weights["weight"][:, :, 0, 0].transpose()
  return {"kernel": kernel, "bias": weights["bias"]}


def density(weights: Arrays) -> Arrays:
  """Returns a factorized density, shifted by its medians.

  Ours is that of `x - median`, so that the first layer, `softplus(H) x + b`,
  has `softplus(H) median` added to b.
  """
  median = weights["quantiles"][:, 0, 1].astype(np.float64)
  slope = np.logaddexp(0, weights["_matrix0"].astype(np.float64))
  layers = {
    name[1:]: array for name, array in weights.items() if name != "quantiles"
  }
  layers["bias0"] = layers["bias0"] + slope * median[:, None, None]
  return layers | {"median": median}


def _conv_shapes(ours: Shapes) -> Shapes:
  h, w, i, o = ours["kernel"]
  return {"weight": (o, i, h, w), "bias": ours["bias"]}


def _up_conv_shapes(ours: Shapes) -> Shapes:
  h, w, i, o = ours["kernel"]
  return {"weight": (i, o, h, w), "bias": ours["bias"]}


def _dense_shapes(ours: Shapes) -> Shapes:
  i, o = ours["kernel"]
  return {"weight": (o, i, 1, 1), "bias": ours["bias"]}


def _density_shapes(ours: Shapes) -> Shapes:
  shapes = {f"_{name}": shape for name, shape in ours.items()}
  return shapes | {"quantiles": (ours["bias0"][0], 1, 3)}


def _density_names() -> tuple[str, ...]:
  layers = range(DEPTH + 1)
  names = [f"_{part}{k}" for part in ("matrix", "bias") for k in layers]
  return ("quantiles", *names, *(f"_factor{k}" for k in range(DEPTH)))


KINDS = {
  "conv": Kind(("weight", "bias"), _conv_shapes, conv),
  "up_conv": Kind(("weight", "bias"), _up_conv_shapes, up_conv),
  "subpixel": Kind(("weight", "bias"), _conv_shapes, subpixel),
  "dense": Kind(("weight", "bias"), _dense_shapes, dense),
  "gdn": Kind(("beta", "gamma"), dict, dict),
  "density": Kind(_density_names(), _density_shapes, density),
}
