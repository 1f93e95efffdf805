"""Rules that stand beside the fields of a dataclass, and what breaks them.

    @dataclasses.dataclass
    class Data:
      batch: int = field(16, positive)

    check_fields(Data, Data(batch=0), "data.")

raises "data.batch is positive, got 0; correct it".
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxlic.errors import JaxlicError


class Rule(NamedTuple):
  """Which values a field may have."""

  holds: Callable[[Any], bool]
  words: str  # what follows "FIELD is"
  ending: str = "got {}; correct it"  # with the value that broke it


positive = Rule(lambda x: x > 0, "positive")
not_negative = Rule(lambda x: x >= 0, "0 or more")
share = Rule(lambda x: 0 < x <= 1, "above 0, and 1 at most")
decay = Rule(lambda x: 0 <= x < 1, "from 0 to 1, without 1")


def one_of(*names: str) -> Rule:
  """Returns the rule of a choice."""
  words = f"one of {', '.join(names)}"
  return Rule(lambda x: x in names, words, "got {!r}; choose one")


def multiple_of(unit: int, name: str) -> Rule:
  """Returns the rule of positive multiples of a unit."""
  words = f"a multiple of {name}, {unit}"
  return Rule(lambda x: x > 0 and x % unit == 0, words)


def at_least(least: int, why: str) -> Rule:
  """Returns the rule of a lower bound."""
  return Rule(lambda x: x >= least, f"{least} or more {why}")


def field(default: Any, rule: Rule) -> Any:
  """Returns a field of a dataclass that keeps a rule."""
  return dataclasses.field(default=default, metadata={"rule": rule})


def check(name: str, value: Any, rule: Rule) -> None:
  """Raises JaxlicError, naming the field, if its value breaks the rule."""
  if not rule.holds(value):
    ending = rule.ending.format(value)
    raise JaxlicError(f"{name} is {rule.words}, {ending}")


def check_fields(kind: type, section: Any, prefix: str = "") -> None:
  """Checks the fields of a section, and of those within it, one by one.

  Args:
    kind: The dataclass whose fields they are.
    section: One of its kind, or whatever has the same attributes.
    prefix: What stands before the names of its fields.

  Raises:
    JaxlicError: Naming the first field that breaks its rule.
  """
  for declared in dataclasses.fields(kind):
    name, value = prefix + declared.name, getattr(section, declared.name)
    if dataclasses.is_dataclass(declared.type):
      check_fields(declared.type, value, f"{name}.")
    elif "rule" in declared.metadata:
      check(name, value, declared.metadata["rule"])


def value_at(config: Any, name: str) -> Any:
  """Returns the value of a field, such as "data.batch"."""
  return functools.reduce(getattr, name.split("."), config)
