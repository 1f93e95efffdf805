"""Several codecs as one: each image is coded by the one that suits it best.

A quality stands for a weight lambda of the distortion. Every member evaluates
the image, those of many rates at this quality, and the one with the least

    bits / pixels + lambda * 255^2 * MSE

codes it. The first byte of the payload is its number. Members are trained each
on its own. Weights are by default those of the members' models, whatever they
were trained with; give those that they were trained with, if others.

References:
  Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive
  autoencoders", 2017, section 3.1: three models, and the best for each image.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxlic import codec
from jaxlic.codec.inputs import Image, Map
from jaxlic.errors import JaxlicError
from jaxlic.quality import check_lambdas
from jaxlic.types import (
  AnyTables,
  Codec,
  Model,
  ModelSpec,
  Outcome,
  Params,
  Payload,
)

MOST_MEMBERS = 256  # what a byte can tell apart


class _Members(NamedTuple):
  """What all functions of an ensemble know."""

  spec: ModelSpec
  specs: list[ModelSpec]
  codecs: list[Codec]


def spec_of(
  members: Sequence[ModelSpec], lambdas: Sequence[float] = ()
) -> ModelSpec:
  """Returns the facts of an ensemble.

  Args:
    members: Those of its members.
    lambdas: The weight of the distortion at each level, ascending; (): those
      of the first member of many rates, or else of all members.

  Raises:
    JaxlicError: If there are less than 2 members or more than 256; if one takes
      a quality map; if one of many rates has other levels than the ensemble; or
      if lambdas do not ascend.
  """
  if not 2 <= len(members) <= MOST_MEMBERS:
    raise JaxlicError(
      f"an ensemble has 2 to {MOST_MEMBERS} members, got {len(members)}; give "
      "more codecs, or fewer"
    )
  for member in members:
    if member.takes_map:
      raise JaxlicError(
        f"members of an ensemble take no quality map, {member.name} does; "
        "leave it out"
      )
  lambdas = tuple(lambdas) or _members_lambdas(members)
  check_lambdas("an ensemble", lambdas)
  for member in members:
    if member.levels not in (0, len(lambdas)):
      raise JaxlicError(
        f"members have one rate or the ensemble's {len(lambdas)} levels, "
        f"{member.name} has {member.levels}; give a lambda for each of them"
      )
  stride = math.lcm(*(member.stride for member in members))
  return ModelSpec("ensemble", stride, levels=len(lambdas), lambdas=lambdas)


def _members_lambdas(members: Sequence[ModelSpec]) -> tuple[float, ...]:
  """Those of the first member of many rates, or else of all members."""
  for member in members:
    if member.levels:
      return member.lambdas
  lambdas = tuple(sorted({value for m in members for value in m.lambdas}))
  if len(lambdas) < 2:
    raise JaxlicError(
      "an ensemble weighs the distortion by its members' lambdas, all of these "
      f"have {lambdas[0]}; give lambdas, one for each whole quality"
    )
  return lambdas


def make(spec: ModelSpec, models: Sequence[Model]) -> Codec:
  """Returns the codec of an ensemble.

  Parameters are {"0": those of the first member, ...}, and so are tables,
  under "0.y" and the like. `apply` and what takes batches are not to be had.

  Args:
    spec: What `spec_of` makes of the models'.
    models: The members.
  """
  members = _Members(
    spec, [model.spec for model in models], [codec.make(m) for m in models]
  )
  return Codec(
    init=functools.partial(_init, members),
    apply=_apply,
    evaluate=functools.partial(_evaluate, members),
    freeze=functools.partial(_freeze, members),
    encode=functools.partial(_encode, members),
    decode=functools.partial(_decode, members),
    quantize=_of_batches,
    reconstruct=_of_batches,
    push=_of_batches,
    pop=_of_batches,
  )


def join_tables(
  tables: Sequence[dict[str, AnyTables]],
) -> dict[str, AnyTables]:
  """Returns the members' tables as those of their ensemble."""
  return {
    f"{k}.{stage}": table
    for k, of_member in enumerate(tables)
    for stage, table in of_member.items()
  }


def _init(members: _Members, key: Array) -> Params:
  keys = jax.random.split(key, len(members.codecs))
  return {
    str(k): member.init(keys[k]) for k, member in enumerate(members.codecs)
  }


def _apply(*arguments: object, **options: object) -> Outcome:
  raise JaxlicError(
    "an ensemble is not trained as a whole; train its members, and join them"
  )


def _of_batches(*arguments: object, **options: object) -> Any:
  raise JaxlicError(
    "an ensemble chooses a member for each image, on the host; encode and "
    "decode images one by one, or use a member for batches"
  )


def _freeze(members: _Members, params: Params) -> dict[str, AnyTables]:
  return join_tables(
    [member.freeze(params[str(k)]) for k, member in enumerate(members.codecs)]
  )


def _evaluate(
  members: _Members,
  params: Params,
  image: Image,
  quality: float = 0.0,
  quality_map: Map | None = None,
) -> Outcome:
  """Returns the outcome of the best member, and the byte that names it.

  Raises:
    JaxlicError: If the image is traced.
  """
  if isinstance(image, jax.core.Tracer):
    _of_batches()
  _, outcome = _best(members, params, image, quality, quality_map)
  return outcome._replace(bits={"member": 8.0} | outcome.bits)


def _encode(
  members: _Members,
  params: Params,
  tables: dict[str, AnyTables],
  image: Image,
  quality: float = 0.0,
  quality_map: Map | None = None,
) -> Payload:
  """Returns the image as the best member codes it."""
  k, _ = _best(members, params, image, quality, quality_map)
  payload = members.codecs[k].encode(
    params[str(k)],
    _tables_of(tables, k),
    image,
    _quality_of(members, k, quality),
  )
  return payload._replace(
    quality=codec.checked_quality(members.spec, quality),
    data=bytes([k]) + payload.data,
  )


def _decode(
  members: _Members,
  params: Params,
  tables: dict[str, AnyTables],
  payload: Payload,
) -> Float[Array, "H W 3"]:
  """Returns the image, as the member decodes it that the first byte names."""
  quality = codec.checked_quality(members.spec, payload.quality)
  k = payload.data[0] if payload.data else -1
  if not 0 <= k < len(members.codecs):
    raise JaxlicError(
      f"a file names one of {len(members.codecs)} members, got "
      f"{k if payload.data else 'no byte'}; the file is damaged, fetch it again"
    )
  return members.codecs[k].decode(
    params[str(k)],
    _tables_of(tables, k),
    payload._replace(
      quality=_quality_of(members, k, quality), data=payload.data[1:]
    ),
  )


def _best(
  members: _Members,
  params: Params,
  image: Image,
  quality: float,
  quality_map: Map | None,
) -> tuple[int, Outcome]:
  """The number of the member of least cost, and its outcome."""
  quality = codec.checked_quality(members.spec, quality)
  lambdas = np.log(members.spec.lambdas)
  weight = np.exp(np.interp(quality, np.arange(len(lambdas)), lambdas))
  pixels = image.shape[0] * image.shape[1]
  outcomes, costs = [], []
  for k, member in enumerate(members.codecs):
    outcome = member.evaluate(
      params[str(k)], image, _quality_of(members, k, quality), quality_map
    )
    mse = np.mean((np.asarray(outcome.image) - image) ** 2, dtype=np.float64)
    costs.append(sum(outcome.bits.values()) / pixels + weight * 255**2 * mse)
    outcomes.append(outcome)
  best = int(np.argmin(costs))
  return best, outcomes[best]


def _quality_of(members: _Members, k: int, quality: float) -> float:
  """A member's quality, at the ensemble's."""
  return quality if members.specs[k].levels else 0.0


def _tables_of(tables: dict[str, AnyTables], k: int) -> dict[str, AnyTables]:
  """A member's tables under the names of its stages."""
  prefix = f"{k}."
  return {
    name.removeprefix(prefix): table
    for name, table in tables.items()
    if name.startswith(prefix)
  }
