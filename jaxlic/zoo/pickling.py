"""Loaded codecs as pickles, for processes that are spawned.

Functions are not pickled: they are made anew from the architecture's options,
and a process shares them, and all that is compiled, among its codecs. An
embedded codec is named by its fingerprint. Any other takes its weights and
tables along: its folder may be gone where the pickle is read, or hold another
codec by then.
"""

import contextlib
import copyreg
import importlib
from collections.abc import Callable
from typing import Any

import jax

from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.types import AnyTables, Params
from jaxlic.zoo import codec_folder, embedded
from jaxlic.zoo.codec_folder import ENSEMBLE, Trained


def _reduced(trained: Trained) -> tuple[Callable, tuple]:
  """What pickle keeps of a codec: a function, and its arguments."""
  name = trained.name
  # Not by its fields: a copy of it may have other weights under its name.
  if name in embedded.names() and trained is embedded.load(name):
    return _embedded, (name, trained.fingerprint)
  return _rebuilt, (
    _registrars(trained.architecture, trained.options),
    *trained[:4],
    jax.device_get(trained.params),
    trained.tables,
  )


def _embedded(name: str, fingerprint: int) -> Trained:
  """The embedded codec that was pickled.

  Raises:
    JaxlicError: If it is not, or another, in this release.
  """
  here = embedded.load(name) if name in embedded.names() else None
  if here is None or here.fingerprint != fingerprint:
    raise JaxlicError(
      f"a pickled codec is embedded where it is read, {name} "
      f"{fingerprint:#010x} is not; use the same release of jaxlic"
    )
  return here


def _rebuilt(
  modules: tuple[str, ...],
  name: str,
  architecture: str,
  options: dict[str, Any],
  fingerprint: int,
  params: Params,
  tables: dict[str, AnyTables],
) -> Trained:
  """The codec of these fields, in any process.

  Raises:
    JaxlicError: If its architecture is not known there.
  """
  # Where one is missing, what follows says so.
  with contextlib.suppress(ModuleNotFoundError):
    for module in modules:
      importlib.import_module(module)
  spec, codec = codec_folder.functions_of(architecture, options)
  return Trained(
    name=name,
    architecture=architecture,
    options=options,
    fingerprint=fingerprint,
    spec=spec,
    codec=codec,
    params=params,
    tables=tables,
  )


def _registrars(architecture: str, options: dict[str, Any]) -> tuple[str, ...]:
  """The modules that registered models of users' own, to import them first."""
  names = [architecture]
  if architecture == ENSEMBLE:
    names = [member["architecture"] for member in options["members"]]
  makers = [models.MODELS.get(name) for name in names]
  modules = {getattr(maker, "__module__", None) for maker in makers}
  return tuple(sorted(filter(None, modules)))


copyreg.pickle(Trained, _reduced)
