"""LVQAC: lattice quantization and adaptive companding in a context model.

y is coded on a lattice around its mean, `quantize/lattice.py`, the paper's by
default: "Dn*" with all channels of a position as one block, so that a position
takes one coset bit. Before, it is companded by an A-law, see `companded.py`.
The backbones are Minnen 2018 and Cheng 2020 without attention. z is rounded, in
training with noise if y is, and straight-through if not.

References:
  Zhang, Wu, "LVQAC: Lattice vector quantization coupled with spatially adaptive
  companding for efficient learned image compression", 2023 (lambdas).
"""

import flax.linen as nn

from jaxlic.entropy import cosets
from jaxlic.entropy import lattice_gaussian as lattice_density
from jaxlic.models import bmshj2018, cheng2020, mbt2018
from jaxlic.models.parts import companded, context, precision
from jaxlic.quantize import surrogates
from jaxlic.quantize.lattices import points as lattices
from jaxlic.quantize.lattices import quantizer as lattice_quantizer
from jaxlic.types import Model, ModelSpec

# Weights of 255^2 * MSE against bits per pixel, for qualities 1 to 6.
LAMBDAS = (0.0016, 0.0032, 0.0075, 0.0150, 0.0300, 0.0450)
WIDE_FROM, CHENG_WIDE_FROM = 5, 4  # the first quality of the wide networks
COSET = "coset"  # the modelled bit's logits among the parameters


def make_minnen(
  *,
  quality: int = 3,
  width: int | None = None,
  latent: int | None = None,
  lattice: str = "Dn*",
  block: int | None = None,
  coset: str = "raw",
  companding: str = "hyper",
  order: str = "raster",
  surrogate: str = "softmax",
  norm: str = "sqrt",
  dtype: str = "float32",
  name: str = "lvqac-minnen2018",
) -> Model:
  """Returns LVQAC around the joint prior of Minnen 2018.

  Args:
    quality: 1 (fewest bits) to 6: the weight of the distortion, and the widths.
    width: Channels inside the transforms and of z, instead of the quality's.
    latent: Channels of y, instead of the quality's.
    lattice: A name of quantize/lattice.py; "Zn" is rounding.
    block: Channels that make up a point; None: the lattice's only dimension, or
      all channels.
    coset: What a coset bit costs, "raw" or "modelled", see entropy/cosets.py.
    companding: Where A comes from, see models/companded.py; "none": nowhere.
    order: "raster", or "checkerboard" (He 2021); see models/context.py.
    surrogate: What stands for the lattice in training, see quantize/vector.py.
    norm: The form of the divisive normalization, see nn/gdn.py.
    dtype: What the convolutions compute in, see nn/__init__.py.
    name: The model's name.

  Raises:
    JaxlicError: If there is no such quality, lattice, block, coset, companding,
      order, surrogate or dtype.
  """
  spec, dtype = _spec(name, quality), precision.checked(dtype)
  width = mbt2018.JOINT_WIDTH if width is None else width
  if latent is None:
    latent = bmshj2018.WIDE[1] if quality >= WIDE_FROM else bmshj2018.NARROW[1]
  return _make(
    spec,
    mbt2018.networks(width, latent, norm, dtype),
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
  quality: int = 3,
  width: int | None = None,
  lattice: str = "Dn*",
  block: int | None = None,
  coset: str = "raw",
  companding: str = "hyper",
  order: str = "raster",
  surrogate: str = "softmax",
  dtype: str = "float32",
  name: str = "lvqac-cheng2020",
) -> Model:
  """Returns LVQAC around Cheng 2020 without attention, with one Gaussian.

  Args:
    quality: As in `make_minnen`.
    width: Channels of everything, instead of the quality's.
    lattice: As in `make_minnen`.
    block: As in `make_minnen`.
    coset: As in `make_minnen`.
    companding: As in `make_minnen`.
    order: As in `make_minnen`.
    surrogate: As in `make_minnen`.
    dtype: As in `make_minnen`.
    name: The model's name.

  Raises:
    JaxlicError: As `make_minnen`.
  """
  spec, dtype = _spec(name, quality), precision.checked(dtype)
  if width is None:
    wide = quality >= CHENG_WIDE_FROM
    width = cheng2020.WIDE if wide else cheng2020.NARROW
  return _make(
    spec,
    cheng2020.networks(width, False, dtype),
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
  networks: tuple[nn.Module, ...],
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
  channels = networks[0].latent
  if block is None and lattice not in lattices.FIXED:
    block = channels
  points = lattices.make(lattice, block)
  lattice_quantizer.check_channels(points, channels)
  density = lattice_density.make(points, coset=coset, name=COSET)
  scalar = surrogates.make("noise" if surrogate == "noise" else "mixed")
  model = bmshj2018.with_hyper(
    spec,
    *networks,
    lambda hyper: hyper,
    scalar,
    context.make(
      order,
      latent=channels,
      outputs=2 * channels,
      read=mbt2018.read_scale_and_mean,
      dtype=dtype,
    ),
    (lattice_quantizer.make(points, surrogate), density),
  )
  if coset == "modelled" and points.coset_bits:
    logits = {COSET: lambda key: cosets.init(points)}
    model = companded.with_params(model, logits)
  return companded.make(model, companding, hyper=2 * channels, quantizer=scalar)


def _spec(name: str, quality: int) -> ModelSpec:
  bmshj2018.check_quality(quality, len(LAMBDAS), "LVQAC")
  return ModelSpec(name, bmshj2018.STRIDE, lambdas=(LAMBDAS[quality - 1],))
