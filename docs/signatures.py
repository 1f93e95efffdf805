"""Shows signatures in Sphinx as the source has them.

What autodoc makes of annotations has rules of options, classes of arrays and
addresses of functions in full. Here an annotation is that of the source, with
the plain types of options, and classes of jaxlic as links. A protocol has the
signature of its call.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

import flax.linen as nn

SHOWN = ("function", "method", "class")
FROM_FLAX = ("parent", "name")  # fields that every network has


class Text(NamedTuple):
  """What is printed as it stands."""

  text: str

  def __repr__(self) -> str:
    return self.text


class Source(NamedTuple):
  """What the source says of arguments, and of what is returned."""

  annotations: dict[str, ast.expr]
  defaults: dict[str, ast.expr]


def setup(app: Any) -> None:
  """Is called by Sphinx."""
  app.connect("autodoc-process-signature", _process)


def signature(obj: Any, *, bound: bool = False) -> tuple[str, str | None]:
  """Returns a signature's words: the arguments, and what is returned.

  Args:
    obj: A function or a class.
    bound: Whether the first argument goes without saying.

  Raises:
    ValueError: If it has none, as some of other languages.
  """
  if is_call(obj):
    return signature(vars(obj)["__call__"], bound=True)
  if getattr(obj, "_is_protocol", False):
    return "", None
  parameters = list(inspect.signature(obj).parameters.values())[bound:]
  if is_network(obj):
    parameters = [p for p in parameters if p.name not in FROM_FLAX]
  source, scope = _source(obj), _scope(obj)
  for i, parameter in enumerate(parameters):
    if parameter.name in source.annotations:
      annotation = _linked(source.annotations[parameter.name], scope)
      parameter = parameter.replace(annotation=Text(annotation))
    if parameter.name in source.defaults:
      default = ast.unparse(source.defaults[parameter.name])
      parameter = parameter.replace(default=Text(default))
    elif parameter.default is not parameter.empty:
      parameter = parameter.replace(default=Text(shown(parameter.default)))
    parameters[i] = parameter
  returned = source.annotations.get("return")
  words = str(inspect.Signature(parameters))
  return words, None if returned is None else _linked(returned, scope)


def shown(value: Any) -> str:
  """Returns a default in words that are the same in every process."""
  if hasattr(value, "__name__"):
    return value.__name__
  if isinstance(value, tuple) and any(hasattr(v, "__name__") for v in value):
    return f"({', '.join(map(shown, value))}{',' * (len(value) == 1)})"
  words = repr(value)
  return "..." if re.search(r" at 0x|<factory>", words) else words


def field_default(cls: type, name: str) -> str:
  """Returns what a field is where it is not given, as ` = value`, or ""."""
  fields = inspect.signature(cls).parameters
  if name not in fields or fields[name].default is inspect.Parameter.empty:
    return ""
  if name in (told := _source(cls).defaults):
    return f" = {ast.unparse(told[name])}"
  return f" = {shown(fields[name].default)}"


def is_call(obj: Any) -> bool:
  """Whether a class says how functions of a kind are called."""
  return getattr(obj, "_is_protocol", False) and "__call__" in vars(obj)


def is_network(obj: Any) -> bool:
  """Whether a class is a network of Flax."""
  return inspect.isclass(obj) and issubclass(obj, nn.Module)


def _process(app, what, name, obj, options, words, returned):
  if what not in SHOWN:
    return None
  try:
    return signature(obj, bound=what == "method" and inspect.isfunction(obj))
  except (ValueError, TypeError):
    return None


def _source(obj: Any) -> Source:
  """Nothing where there is no source."""
  if inspect.isclass(obj):
    if inspect.isfunction(vars(obj).get("__init__")):
      made = _source(vars(obj)["__init__"])
      if made.annotations:
        return made
    fields = [f for cls in reversed(obj.__mro__) for f in _fields(cls)]
    defaults = {f.target.id: f.value for f in fields if _is_plain(f.value)}
    return Source({f.target.id: f.annotation for f in fields}, defaults)
  function = next(iter(_parsed(inspect.unwrap(obj))), None)
  if not isinstance(function, ast.FunctionDef):
    return Source({}, {})
  given = function.args
  ordered = [*given.posonlyargs, *given.args]
  late = zip(reversed(ordered), reversed(given.defaults), strict=False)
  by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
  others = [a for a in (given.vararg, given.kwarg) if a]
  annotations = {
    a.arg: a.annotation
    for a in [*ordered, *given.kwonlyargs, *others]
    if a.annotation
  }
  if function.returns:
    annotations["return"] = function.returns
  return Source(
    annotations, {a.arg: value for a, value in [*late, *by_name] if value}
  )


def _fields(cls: type) -> Iterator[ast.AnnAssign]:
  """Those of the classes of jaxlic."""
  if cls.__module__.startswith("jaxlic"):
    for statement in _parsed(cls)[0].body:
      if isinstance(statement, ast.AnnAssign):
        yield statement


def _is_plain(value: ast.expr | None) -> bool:
  """Whether it is a default, and no `field(...)` that makes one."""
  return value is not None and not isinstance(value, ast.Call)


def _parsed(obj: Any) -> list[ast.stmt]:
  try:
    return ast.parse(textwrap.dedent(inspect.getsource(obj))).body
  except (OSError, TypeError, SyntaxError):
    return []


def _scope(obj: Any) -> dict[str, Any]:
  """The names that its annotations may use."""
  module = inspect.getmodule(inspect.unwrap(obj))
  return vars(module) if module else {}


def _linked(annotation: ast.expr, scope: dict[str, Any]) -> str:
  if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
    annotation = _expression(annotation.value)  # of what comes later
  return ast.unparse(_Links(scope).visit(annotation))


class _Links(ast.NodeTransformer):
  """Names in annotations, as those that Sphinx knows."""

  def __init__(self, scope: dict[str, Any]):
    self.scope = scope

  def visit_Name(self, node: ast.Name) -> ast.expr:
    value = self.scope.get(node.id)
    is_alias = value is not None and getattr(value, "__name__", "") != node.id
    if not is_alias or _is_option(value):
      return self._known(node, value)
    # Sphinx would take it for a class of that name, wherever there is one.
    return _expression(f"~{self.scope['__name__']}.{node.id}")

  def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
    if not isinstance(node.value, ast.Name):
      return node
    owner = self.scope.get(node.value.id)
    return self._known(node, getattr(owner, node.attr, None))

  def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
    if isinstance(node.value, ast.Name) and node.value.id == "Annotated":
      return self.visit(node.slice.elts[0])
    return self.generic_visit(node)

  def _known(self, node: ast.expr, value: Any) -> ast.expr:
    """Classes of jaxlic in full, options as their types, all else as it is."""
    if _is_option(value):
      words = inspect.formatannotation(value.__origin__)
      return _expression(re.sub(r"(\w+\.)+", "", words))
    if inspect.isclass(value) and value.__module__.startswith("jaxlic"):
      return _expression(f"~{value.__module__}.{value.__qualname__}")
    return node


def _is_option(value: Any) -> bool:
  """Whether a type says which values it may have."""
  return hasattr(value, "__metadata__")


def _expression(words: str) -> ast.expr:
  return ast.parse(words, mode="eval").body
