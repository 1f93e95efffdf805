"""The folder of an ensemble, from those of its members."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from jaxlic.errors import JaxlicError
from jaxlic.types import Params
from jaxlic.zoo import ensemble
from jaxlic.zoo.codec_folder import ENSEMBLE, Trained, export


def join(
  folder: str | Path,
  *,
  name: str,
  members: Sequence[Trained],
  lambdas: Sequence[float] = (),
  force: bool = False,
) -> Trained:
  """Writes codecs as one that codes each image with the best of them.

  Args:
    folder: As in `export`.
    name: As in `export`.
    members: The codecs, 2 to 256, none an ensemble.
    lambdas: As in `ensemble.spec_of`.
    force: Replace a codec that the folder holds, which may be a member.

  Raises:
    JaxlicError: As `export` and `ensemble.spec_of`; or if the folder holds a
      codec.
  """
  if any(member.architecture == ENSEMBLE for member in members):
    raise JaxlicError(
      "members of an ensemble are no ensembles; give the members of each"
    )
  if Path(folder, "codec.json").exists() and not force:
    raise JaxlicError(
      f"an ensemble's folder holds no codec yet, {folder} does; give another, "
      "or force (--force) to replace it"
    )
  spec = ensemble.spec_of([member.spec for member in members], lambdas)
  params = {str(k): member.params for k, member in enumerate(members)}
  return export(
    folder,
    name=name,
    architecture=ENSEMBLE,
    options={
      "members": [
        {"architecture": m.architecture, "options": m.options} for m in members
      ],
      "lambdas": list(spec.lambdas),
    },
    params=params,
    # As the members' were, so that they code as before.
    dtype="float16" if _fit_float16(params) else "float32",
    tables=ensemble.join_tables([member.tables for member in members]),
    force=force,
  )


def _fit_float16(params: Params) -> bool:
  """Whether half precision holds all parameters."""
  with np.errstate(over="ignore"):
    return all(
      np.array_equal(np.asarray(leaf, np.float16), leaf)
      for leaf in jax.tree.leaves(params)
    )
