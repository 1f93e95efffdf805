"""Pickles of PyTorch, carried out without PyTorch and without risk.

A pickle is a program for a small machine with a stack, which may import and
call anything. The machine here carries out only what makes numbers, strings,
lists, dictionaries and tensors: the standard library reads the instructions,
every name that they may ask for stands in a table, beside what is done here
instead, and nothing is ever imported. A tensor comes out as a description, a
view of a storage: an offset, a shape and strides, in elements. The values are
elsewhere in the file.

References:
  Paszke et al., "PyTorch", 2019; torch/_utils.py and torch/serialization.py of
  release 2.13.
"""

import io
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

MAX_RANK = 32
STORAGES = {
  "torch.DoubleStorage": np.float64,
  "torch.FloatStorage": np.float32,
  "torch.HalfStorage": np.float16,
  "torch.BFloat16Storage": jnp.bfloat16,
  "torch.LongStorage": np.int64,
  "torch.IntStorage": np.int32,
  "torch.ShortStorage": np.int16,
  "torch.CharStorage": np.int8,
  "torch.ByteStorage": np.uint8,
  "torch.BoolStorage": np.bool_,
}


class RefusedName(Exception):
  """A name that no checkpoint of weights asks for."""


class Storage(NamedTuple):
  """A storage's key in its file, the type of its values, and how many."""

  key: str
  dtype: np.dtype
  count: int


class Tensor(NamedTuple):
  """A view of a storage, in elements."""

  storage: Storage
  offset: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]


class _Name(NamedTuple):
  """A name of STORAGES or _CALLS, "module.name"."""

  text: str


def run(
  file: io.BytesIO, order: str = "<", storages: dict[str, Storage] | None = None
) -> Any:
  """Carries out one pickle, and returns what it makes.

  Args:
    file: Where it starts; read to the pickle's end.
    order: Of the bytes in storages, "<" or ">".
    storages: Is filled with those that tensors refer to, by key.

  Raises:
    RefusedName: If it asks for a name that is not in the tables.
    Exception: As is usual, if it is damaged or not such a pickle.
  """
  machine = _Machine(order, {} if storages is None else storages)
  with warnings.catch_warnings():
    # Damaged names may have escape sequences that Python warns of.
    warnings.simplefilter("ignore", DeprecationWarning)
    for opcode, argument, _ in pickletools.genops(file):
      machine.step(opcode.name, argument)
  return machine.stack.pop()


class _Machine:
  """The state of a pickle: a stack with marks, and a memory by number."""

  def __init__(self, order: str, storages: dict[str, Storage]):
    self.stack: list[Any] = []
    self.memory: dict[int, Any] = {}
    self.order = order
    self.storages = storages

  def step(self, name: str, argument: Any) -> None:
    if name in _PUSHED:
      self.stack.append(argument)
    elif name in _MADE:
      self.stack.append(_MADE[name]())
    elif name in _CARRIED_OUT:
      _CARRIED_OUT[name](self, argument)
    elif name not in ("PROTO", "FRAME", "STOP"):
      raise ValueError(f"it uses the instruction {name}")

  def pop_to_mark(self) -> list[Any]:
    items = []
    while (item := self.stack.pop()) is not _MARK:
      items.append(item)
    return items[::-1]

  def pop(self, kind: type) -> Any:
    item = self.stack.pop()
    if not isinstance(item, kind):
      raise TypeError(f"it has a {type(item).__name__} for a {kind.__name__}")
    return item

  def tuple_of(self, count: int) -> None:
    items = [self.stack.pop() for _ in range(count)]
    self.stack.append(tuple(items[::-1]))

  def append(self, items: list[Any]) -> None:
    target = self.pop(list)
    target += items
    self.stack.append(target)

  def set_items(self, items: list[Any]) -> None:
    target = self.pop(dict)
    target |= _dict(zip(items[::2], items[1::2], strict=True))
    self.stack.append(target)

  def push_name(self, text: str) -> None:
    if text not in STORAGES and text not in _CALLS:
      raise RefusedName(f"{text[:80]!a}")
    self.stack.append(_Name(text))

  def call(self) -> None:
    arguments, name = self.pop(tuple), self.pop(_Name)
    self.stack.append(_CALLS[name.text](*arguments))

  def push_storage(self) -> None:
    kind, name, key, _, count, *view = self.pop(tuple)
    if kind != "storage" or view not in ([], [None]):
      raise ValueError("it refers to something that is no storage")
    if not isinstance(key, str) or not _is_count(count):
      raise TypeError("it refers to a storage without key or size")
    dtype = np.dtype(STORAGES[name.text]).newbyteorder(self.order)
    storage = self.storages.setdefault(key, Storage(key, dtype, count))
    if storage != (key, dtype, count):
      raise ValueError(f"storage {key} is of two kinds")
    self.stack.append(storage)


_MARK = object()
# Instructions that push their own argument.
_PUSHED = {
  *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG"),
  *("BINFLOAT", "FLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
  *("SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
# Those that push something new.
_MADE = {
  "MARK": lambda: _MARK,
  "NONE": lambda: None,
  "NEWTRUE": lambda: True,
  "NEWFALSE": lambda: False,
  "EMPTY_TUPLE": tuple,
  "EMPTY_LIST": list,
  "EMPTY_DICT": dict,
}
_CARRIED_OUT: dict[str, Callable[[_Machine, Any], Any]] = {
  "PUT": lambda m, n: m.memory.update({n: m.stack[-1]}),
  "BINPUT": lambda m, n: m.memory.update({n: m.stack[-1]}),
  "LONG_BINPUT": lambda m, n: m.memory.update({n: m.stack[-1]}),
  "MEMOIZE": lambda m, _: m.memory.update({len(m.memory): m.stack[-1]}),
  "GET": lambda m, n: m.stack.append(m.memory[n]),
  "BINGET": lambda m, n: m.stack.append(m.memory[n]),
  "LONG_BINGET": lambda m, n: m.stack.append(m.memory[n]),
  "TUPLE": lambda m, _: m.stack.append(tuple(m.pop_to_mark())),
  "TUPLE1": lambda m, _: m.tuple_of(1),
  "TUPLE2": lambda m, _: m.tuple_of(2),
  "TUPLE3": lambda m, _: m.tuple_of(3),
  "APPEND": lambda m, _: m.append([m.stack.pop()]),
  "APPENDS": lambda m, _: m.append(m.pop_to_mark()),
  "SETITEM": lambda m, _: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
  "SETITEMS": lambda m, _: m.set_items(m.pop_to_mark()),
  "GLOBAL": lambda m, text: m.push_name(text.replace(" ", ".", 1)),
  "STACK_GLOBAL": lambda m, _: m.push_name(
    ".".join([m.pop(str), m.pop(str)][::-1])
  ),
  "REDUCE": lambda m, _: m.call(),
  "BUILD": lambda m, _: m.stack.pop(),  # attributes, such as the metadata
  "BINPERSID": lambda m, _: m.push_storage(),
}


def _dict(pairs: Any) -> dict:
  """A dictionary by strings and numbers."""
  result = {}
  for key, value in pairs:
    # Hashing a tuple of a million levels would overflow the stack of C.
    if not isinstance(key, str | int | float | None):
      raise TypeError(f"it has a dictionary by {type(key).__name__}")
    result[key] = value
  return result


def _mapping(items: Any = ()) -> dict:
  # Copies of copies could fill the memory from a small file.
  return items if isinstance(items, dict) else _dict(items)


def _size(sides: Any = ()) -> tuple:
  if len(sides) > MAX_RANK:
    raise ValueError(f"it has a size of {len(sides)} axes")
  return tuple(sides)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_) -> Tensor:
  if not isinstance(storage, Storage) or len(shape) != len(strides):
    raise TypeError("it has a tensor without storage or shape")
  if len(shape) > MAX_RANK:
    raise ValueError(f"it has a tensor of {len(shape)} axes")
  sides = (*shape, *strides)
  if not all(map(_is_count, (offset, *sides))):
    raise ValueError("it has a tensor of negative size")
  return Tensor(storage, offset, tuple(shape), tuple(strides))


def _is_count(value: Any) -> bool:
  return isinstance(value, int) and 0 <= value < 2**62


_CALLS: dict[str, Callable] = {
  "collections.OrderedDict": _mapping,
  "collections.Counter": _mapping,
  "torch.Size": _size,
  "torch.device": lambda *_: None,
  "torch._utils._rebuild_tensor": _tensor,
  "torch._utils._rebuild_tensor_v2": _tensor,
  "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
  "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
}
