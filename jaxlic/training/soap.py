"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

A gradient G [m n] is rotated into the eigenvectors of the running means of
`G G'` and `G' G`, Adam's second moment is kept there, and what Adam would do is
rotated back:

    L = b2 L + (1 - b2) G G'        R = b2 R + (1 - b2) G' G
    N = (QL' M QR) / sqrt(V)        step = -rate QL N QR'

with M the mean gradient, V the mean square of `QL' G QR`. Every few steps the
bases follow: `QL = qr(L QL)`, one step of subspace iteration. Here every axis
of a tensor has a basis of its own, so that of a convolution's kernel inputs,
outputs, rows and columns are rotated; axes longer than `longest` are not.

References:
  Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP:
  Improving and stabilizing Shampoo using Adam", 2024, algorithm 3. As in the
  authors' program, the first step only sets the bases.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

Basis = Float[Array, "n n"] | None


class State(NamedTuple):
  """Of each parameter: two moments, and per axis a mean and its eigenbasis."""

  count: Int[Array, ""]
  mean: optax.Params
  square: optax.Params  # in the eigenbasis
  covariance: list[list[Basis]]  # by leaf and axis; None: not rotated
  basis: list[list[Basis]]


def scale_by_soap(
  *,
  b1: float = 0.95,
  b2: float = 0.95,
  eps: float = 1e-8,
  refresh: int = 10,
  longest: int = 256,
) -> optax.GradientTransformation:
  """Returns the transformation; it leaves the rate to the caller.

  Args:
    b1: Decay of the mean gradient.
    b2: Decay of its square, and of the covariances.
    eps: Added to the root of the square.
    refresh: Steps after which the bases follow.
    longest: Length of the longest axis that is rotated.
  """

  def init(params: optax.Params) -> State:
    leaves = jax.tree.leaves(params)

    def squares(of):
      return [
        [of(n) if 1 < n <= longest else None for n in leaf.shape]
        for leaf in leaves
      ]

    return State(
      jnp.zeros((), jnp.int32),
      optax.tree.zeros_like(params),
      optax.tree.zeros_like(params),
      squares(lambda n: jnp.zeros((n, n))),
      squares(jnp.eye),
    )

  def update(gradient, state: State, params=None):
    del params
    leaves, tree = jax.tree.flatten(gradient)
    count = state.count + 1
    first = count == 1
    covariance = [
      _follow(g, c, b2) for g, c in zip(leaves, state.covariance, strict=True)
    ]
    mean = optax.tree.update_moment(gradient, state.mean, b1, 1)
    # Adam begins after the step that sets the bases.
    mean = jax.tree.map(lambda m: jnp.where(first, 0.0, m), mean)
    age = jnp.maximum(count - 1, 1)
    by_leaf = (leaves, *map(jax.tree.leaves, (mean, state.square)), state.basis)
    moved, square = [], []
    for g, m, v, q in zip(*by_leaf, strict=True):
      v = jnp.where(first, 0.0, b2 * v + (1 - b2) * _rotate(g, q) ** 2)
      step = _rotate(m, q) / (1 - b1**age)
      step /= jnp.sqrt(v / (1 - b2**age)) + eps
      moved.append(_rotate(step, q, back=True))
      square.append(v)
    basis = jax.lax.cond(
      first | (count % refresh == 0),
      lambda: jax.tree.map(
        lambda c, q: _next_basis(c, q, first), covariance, state.basis
      ),
      lambda: state.basis,
    )
    state = State(count, mean, tree.unflatten(square), covariance, basis)
    return tree.unflatten(moved), state

  return optax.GradientTransformation(init, update)


def _follow(gradient, covariances, decay):
  """The mean products of an axis's slices with each other, after a step."""

  def of_axis(axis, before):
    flat = jnp.moveaxis(gradient, axis, 0).reshape(len(before), -1)
    product = jnp.matmul(flat, flat.T, precision="highest")
    return decay * before + (1 - decay) * product

  return [c if c is None else of_axis(i, c) for i, c in enumerate(covariances)]


def _rotate(x, bases, *, back: bool = False):
  """The tensor in the bases of its axes, or from there."""
  for axis, basis in enumerate(bases):
    if basis is not None:
      axes = ((axis,), (1 if back else 0,))
      turned = jnp.tensordot(x, basis, axes, precision="highest")
      x = jnp.moveaxis(turned, -1, axis)
  return x


def _next_basis(covariance, basis, first):
  """Eigenvectors, of the largest eigenvalue first; after that, they follow."""

  def follow():
    return jnp.linalg.qr(jnp.matmul(covariance, basis, precision="highest"))[0]

  return jax.lax.cond(
    first, lambda: jnp.linalg.eigh(covariance)[1][:, ::-1], follow
  )
