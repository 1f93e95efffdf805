"""The entropy models that are told what predicts each element.

References:
  Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
  scale hyperprior", 2018, section 3 (the Gaussian).
  Cheng, Sun, Takeuchi, Katto, "Learned image compression with discretized
  Gaussian mixture likelihoods and attention modules", 2020, section 3.2.
  Cui, Wang, Gao, Guo, Bai, Xu, Feng, "Asymmetric gained deep image compression
  with continuous rate adaptation", 2021, section 3.3.
  Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman
  coding with compression rate of arithmetic coding", 2013 (`coder="ans"`).
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlic.densities import asymmetric as two_sided
from jaxlic.densities import gaussian as gaussians
from jaxlic.densities import mixture as mixtures
from jaxlic.densities.channelwise import TAIL_MASS
from jaxlic.entropy import arguments, arrays, derive
from jaxlic.entropy.kinds import Kind
from jaxlic.entropy.model import EntropyModel
from jaxlic.errors import JaxlicError
from jaxlic.types import Density, Params, Prediction


def gaussian(
  scale_table: Any = None, *, tail_mass: float = TAIL_MASS, coder: str = "range"
) -> EntropyModel:
  """Returns the Gaussian, predicted by `scales` and, but for 0, `means`.

  Both have y's shape. Nothing is learned: its parameters are {}.

  Args:
    scale_table: Ascending standard deviations that have tables, of which the
      least bounds `scales`; None for the 64 from 0.11 to 256.
    tail_mass: What tables leave to escapes, in all.
    coder: "range", or "ans" for rANS.

  Raises:
    JaxlicError: If an argument is out of its range.
  """
  by_scale = gaussians.by_scale
  return _with_table("Gaussian", by_scale, (), scale_table, tail_mass, coder)


def asymmetric(
  scale_table: Any = None, *, tail_mass: float = TAIL_MASS, coder: str = "range"
) -> EntropyModel:
  """Returns the Gaussian of two `scales` [... c 2], below and above its mode.

  The mode is `means`, of y's shape, or else 0. Arguments are those of
  `gaussian`; there are tables for all pairs of scales.

  Raises:
    JaxlicError: If an argument is out of its range.
  """
  name, by_scale = "asymmetric Gaussian", two_sided.by_scale
  return _with_table(name, by_scale, (2,), scale_table, tail_mass, coder)


def mixture(*, coder: str = "range") -> EntropyModel:
  """Returns the mixture of k Gaussians, any k.

  It is predicted by `scales`, `means` and `logits` [... c k], whose softmax
  along k are the weights. Symbols are `round(y)`. Tables have 64 scales from
  0.11 to 256, see `jaxlic.coding.mixture_tables`.

  Args:
    coder: "range", or "ans" for rANS.

  Raises:
    JaxlicError: If there is no such coder.
  """
  kind = Kind(
    "mixture",
    init=_nothing,
    density=mixtures.make(),
    known=_mixed,
    needs=("scales", "means", "logits"),
    extra_axes=1,
    around_means=False,
    rows=None,
  )
  return derive.make(kind, coder)


def _with_table(
  name: str,
  by_scale: Callable[..., Density],
  sides: tuple[int, ...],
  scale_table: Any,
  tail_mass: float,
  coder: str,
) -> EntropyModel:
  """The model whose scales [... c *sides] have tables, for all combinations."""
  table = arguments.scales(scale_table)
  arguments.check_tail(tail_mass)
  count = len(table) if table else gaussians.LEVELS
  kind = Kind(
    name,
    init=_nothing,
    density=by_scale(table, tail_mass=tail_mass),
    known=functools.partial(_located, sides),
    needs=("scales",),
    takes=("means",),
    extra_axes=len(sides),
    rows=count ** math.prod(sides),
  )
  return derive.make(kind, coder)


def _located(
  extra: tuple[int, ...],
  shape: arrays.Shape,
  median: None,
  *,
  scales: Any,
  means: Any = None,
) -> Prediction:
  """A mean each, 0 if it is not told, and scales [*shape *extra]."""
  scale = arrays.of_shape("scales", scales, shape + extra)
  mean = jnp.zeros(shape)
  if means is not None:
    mean = arrays.of_shape("means", means, shape)
  return Prediction(arrays.lifted(mean, shape), arrays.lifted(scale, shape))


def _mixed(
  shape: arrays.Shape, median: None, *, scales: Any, means: Any, logits: Any
) -> mixtures.Mixture:
  components = arrays.floats("scales", scales).shape[-1]
  if not components:
    raise JaxlicError(
      "a mixture has 1 component or more, along the last axis of scales, got "
      f"{list(np.shape(scales))}; give some"
    )
  whole = (*shape, components)
  parts = {"means": means, "scales": scales, "logits": logits}
  return mixtures.Mixture(
    *(
      arrays.lifted(arrays.of_shape(name, array, whole), shape)
      for name, array in parts.items()
    )
  )


def _nothing(key: Array) -> Params:
  """What is learned."""
  return {}
