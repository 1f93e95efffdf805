"""The kinds of a model's options, and what breaks their rules.

A kind is an annotation of a maker's argument, and holds the rule of its values:

    def make(*, width: Count = 96, norm: Annotated[str, one_of("a", "b")] = "a")

`build` checks them before the maker runs. What has no kind is not judged, so
that makers from outside may have options of any type.
"""

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from jaxlic.errors import JaxlicError
from jaxlic.models.parts import context, gain_units, published
from jaxlic.nn import gdn
from jaxlic.quantize import surrogates
from jaxlic.types import DTYPES, Model


class Rule(NamedTuple):
  """Which values an option may have."""

  holds: Callable[[Any], bool]
  words: str  # what follows "OPTION is"


def build(
  make: Callable[..., Model], what: str, options: Mapping[str, object]
) -> Model:
  """Returns what a maker makes of options.

  Args:
    make: The maker; its kinds are checked.
    what: Of what the options are, which an error begins with.
    options: By name.

  Raises:
    JaxlicError: If there is no such option, or a value breaks its rule.
  """
  known = inspect.signature(make).parameters
  for name, value in options.items():
    for rule in _rules(known.get(name)):
      if not rule.holds(value):
        raise JaxlicError(
          f"{what}: {name} is {rule.words}, got {value!r}; correct it"
        )
  try:
    return make(**options)
  except TypeError as error:
    raise JaxlicError(
      f"{what} takes the options {', '.join(known)}, got {dict(options)} "
      f"({error}); leave out or correct what differs"
    ) from error


def defaults(make: Callable[..., Model], what: str) -> dict[str, Any]:
  """Returns the options that a maker names, with their defaults.

  Raises:
    JaxlicError: If one has none, or one that JSON does not hold, as files of
      configurations and codecs would.
  """
  found = {
    name: parameter.default
    for name, parameter in inspect.signature(make).parameters.items()
    if parameter.kind
    in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
  }
  for name, value in found.items():
    if not _fits_json(value):
      shown = "none" if value is inspect.Parameter.empty else repr(value)
      raise JaxlicError(
        f"an option has a default that JSON can hold, {name} of {what} has "
        f"{shown}; give it one"
      )
  return found


def whole(least: int, most: int | float = math.inf, *, unit: int = 1) -> Rule:
  """Returns the rule of whole numbers from the least to the most, by units."""
  end = "" if most == math.inf else f" to {most}"
  steps = "" if unit == 1 else f" in steps of {unit}"
  return Rule(
    lambda x: _is_whole(x, least, most) and (x - least) % unit == 0,
    f"a whole number from {least}{end}{steps}",
  )


def wholes(least: int, count: int | None = None) -> Rule:
  """Returns the rule of several whole numbers; without a count, 1 or more."""

  def holds(x: Any) -> bool:
    if not isinstance(x, tuple) or not x or len(x) != (count or len(x)):
      return False
    return all(_is_whole(k, least) for k in x)

  return Rule(
    holds, f"a list of {count or '1 or more'} whole numbers from {least}"
  )


def one_of(*names: str) -> Rule:
  """Returns the rule of a choice."""
  return Rule(
    lambda x: isinstance(x, str) and x in names, f"one of {', '.join(names)}"
  )


def divisive() -> Rule:
  """Returns the rule of a form of GDN, see nn/gdn.py."""

  def holds(x: Any) -> bool:
    words = x if isinstance(x, dict) else [x]
    if not all(isinstance(word, str) for word in words):
      return False
    try:
      return bool(gdn.constants(x))
    except ValueError:
      return False

  return Rule(
    holds,
    f"one of {', '.join(gdn.PRESETS)}, or "
    f"{{'preset': one of them, CONSTANT: value}} with {gdn.RULES}",
  )


def unless_none(rule: Rule) -> Rule:
  """Returns the rule that takes None, too."""
  return Rule(lambda x: x is None or rule.holds(x), f"{rule.words}, or None")


def _fits_json(value: Any) -> bool:
  try:
    json.dumps(value)
  except (TypeError, ValueError):
    return False
  return True


def _is_whole(x: Any, least: int, most: int | float = math.inf) -> bool:
  is_whole = isinstance(x, int) and not isinstance(x, bool)
  return is_whole and least <= x <= most


def _are_numbers(x: Any) -> bool:
  return isinstance(x, tuple) and all(
    isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
    for v in x
  )


def _rules(parameter: inspect.Parameter | None) -> Iterable[Rule]:
  metadata = getattr(getattr(parameter, "annotation", None), "__metadata__", ())
  return (rule for rule in metadata if isinstance(rule, Rule))


_COUNT = whole(1)
Count = Annotated[int, _COUNT]
CountOrNone = Annotated[int | None, unless_none(_COUNT)]
CountOrNo = Annotated[int, whole(0)]
Counts = Annotated[tuple[int, ...], wholes(1)]
Pair = Annotated[tuple[int, int], wholes(0, 2)]
Triple = Annotated[tuple[int, int, int], wholes(0, 3)]
PairOrNone = Annotated[tuple[int, int] | None, unless_none(wholes(1, 2))]
TripleOrNone = Annotated[tuple[int, int, int] | None, unless_none(wholes(1, 3))]
Weights = Annotated[
  tuple[float, ...], Rule(_are_numbers, "a list of finite numbers")
]
Flag = Annotated[bool, Rule(lambda x: isinstance(x, bool), "True or False")]
Word = Annotated[str, Rule(lambda x: isinstance(x, str) and x != "", "a word")]
Published = Annotated[int, whole(1, len(published.LAMBDAS))]  # a quality
Precision = Annotated[str, one_of(*DTYPES)]
Surrogate = Annotated[str, one_of(*surrogates.SURROGATES)]
Norm = Annotated[str | Mapping[str, Any], divisive()]
NormOrNone = Annotated[str | Mapping[str, Any] | None, unless_none(divisive())]
Order = Annotated[str, one_of(*context.ORDERS)]
HyperInput = Annotated[str, one_of(*gain_units.HYPER_INPUTS)]
