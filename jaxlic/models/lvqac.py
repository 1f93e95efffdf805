"""LVQAC: lattice quantization and adaptive companding in a context model.

y is coded on a lattice around its mean, `quantize/lattices`, the paper's by
default: "Dn*" with all channels of a position as one block, so that a position
takes one coset bit. Before, it is companded by an A-law, see
`parts/companded.py`. A is made of y, as in the paper, and by default sent, for
no decoder has y; "hyper" has it predicted from z instead, and sends nothing.

The backbones are Minnen 2018 and Cheng 2020 without attention. z is rounded, in
training with noise if y is, and straight-through if not.

References:
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023 (lambdas).
"""

from typing import Annotated

from jaxlic.densities import cosets, lattice_gaussian
from jaxlic.models import cheng2020, mbt2018
from jaxlic.models.parts import (
  companded,
  options,
  precision,
  published,
  skeleton,
)
from jaxlic.quantize import surrogates
from jaxlic.quantize.lattices import points as lattices
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.types import Model, ModelSpec

# Weights of 255^2 * MSE against bits per pixel, for qualities 1 to 6.
LAMBDAS = (0.0016, 0.0032, 0.0075, 0.0150, 0.0300, 0.0450)
WIDE_FROM, CHENG_WIDE_FROM = 5, 4  # the first quality of the wide networks
COSET = "coset"  # the modelled bit's logits among the parameters

Quality = Annotated[int, options.whole(1, len(LAMBDAS))]
LatticeName = Annotated[str, options.one_of(*lattices.NAMES)]
Coset = Annotated[str, options.one_of(*lattice_gaussian.COSETS)]
Companding = Annotated[str, options.one_of(*companded.KINDS)]
Surrogate = Annotated[str, options.one_of(*lattice_quantizer.SURROGATES)]


def make_minnen(
  *,
  quality: Quality = 3,
  width: options.CountOrNone = None,
  latent: options.CountOrNone = None,
  lattice: LatticeName = "Dn*",
  block: options.CountOrNone = None,
  coset: Coset = "raw",
  companding: Companding = "sent",
  order: options.Order = "raster",
  surrogate: Surrogate = "softmax",
  norm: options.Norm = "sqrt",
  dtype: options.Precision = "float32",
  name: options.Word = "lvqac-minnen2018",
) -> Model:
  """Returns LVQAC around the joint prior of Minnen 2018.

  Args:
    quality: 1 (fewest bits) to 6: the weight of the distortion, and the widths.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    lattice: A name of quantize/lattices/points.py; "Zn" is rounding.
    block: Channels that make up a point; None: the lattice's only dimension, or
      all channels.
    coset: What a coset bit costs, "raw" or "modelled", see densities/cosets.py.
    companding: Where A comes from, "sent", "hyper" or "none", see
      models/parts/companded.py.
    order: "raster", or "checkerboard" (He 2021); see models/parts/context.py.
    surrogate: What stands for the lattice in training, see its quantizer.
    norm: The form of the divisive normalization, a preset's name or changes of
      one, see nn/gdn.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, lattice, block, coset, companding,
      order, surrogate, norm or dtype.
  """
  width = mbt2018.JOINT_WIDTH if width is None else width
  if latent is None:
    latent = published.WIDE[1] if quality >= WIDE_FROM else published.NARROW[1]
  return _make(
    _spec(name, quality),
    mbt2018.networks(width, latent, norm, precision.checked(dtype)),
    lattice=lattice,
    block=block,
    coset=coset,
    companding=companding,
    order=order,
    surrogate=surrogate,
    dtype=dtype,
  )


def make_cheng(
  *,
  quality: Quality = 3,
  width: options.CountOrNone = None,
  dtype: options.Precision = "float32",
  name: options.Word = "lvqac-cheng2020",
  lattice: LatticeName = "Dn*",
  block: options.CountOrNone = None,
  coset: Coset = "raw",
  companding: Companding = "sent",
  order: options.Order = "raster",
  surrogate: Surrogate = "softmax",
  norm: options.Norm = "sqrt",
) -> Model:
  """Returns LVQAC around Cheng 2020 without attention, with one Gaussian.

  Arguments and errors are those of `make_minnen`; everything has one width.
  """
  if width is None:
    widths = cheng2020.NARROW, cheng2020.WIDE
    width = widths[quality >= CHENG_WIDE_FROM]
  return _make(
    _spec(name, quality),
    cheng2020.networks(width, False, norm, precision.checked(dtype)),
    lattice=lattice,
    block=block,
    coset=coset,
    companding=companding,
    order=order,
    surrogate=surrogate,
    dtype=dtype,
  )


def _make(
  spec: ModelSpec,
  transforms: skeleton.Transforms,
  *,
  lattice: str,
  block: int | None,
  coset: str,
  companding: str,
  order: str,
  surrogate: str,
  dtype: str,
) -> Model:
  """The backbone with y on a lattice, and companded."""
  channels = transforms.latent
  if block is None and lattice not in lattices.FIXED:
    block = channels
  points = lattices.make(lattice, block)
  lattice_quantizer.check_channels(points, channels)
  density = lattice_gaussian.make(points, coset=coset, name=COSET)
  quantizer = lattice_quantizer.make(points, surrogate)
  scalar = surrogates.make("noise" if surrogate == "noise" else "mixed")
  neighbours = mbt2018.joint_context(order, channels, dtype)
  coded = skeleton.code_in_order(channels, quantizer, density, neighbours)
  model = skeleton.hyperprior(spec, transforms, scalar, [coded])
  if coset == "modelled" and points.coset_bits:
    logits = [lambda key: {COSET: cosets.init(points)}]
    model = skeleton.with_params(model, logits)
  return companded.make(model, companding, hyper=2 * channels, quantizer=scalar)


def _spec(name: str, quality: int) -> ModelSpec:
  published.check_quality(quality, len(LAMBDAS), "LVQAC")
  return ModelSpec(name, published.STRIDE, lambdas=(LAMBDAS[quality - 1],))
