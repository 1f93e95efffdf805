"""docs/command_line.md tells every command and option, and no other."""

import argparse
import re
from pathlib import Path

import pytest

from jaxlic import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command_line.md").read_text()
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]*")
TRAIN = "train.py"
# Which argparse adds to all, and the page tells once.
HELP = {"-h", "--help"}


def commands(parser=None, words="jaxlic"):
  """Parsers of all commands by their words; of nested ones the inner."""
  parser = parser or cli._parser()
  for action in parser._actions:
    if isinstance(action, argparse._SubParsersAction):
      found = {}
      for name, inner in action.choices.items():
        found |= commands(inner, f"{words} {name}")
      return found
  return {words: parser}


def sections():
  """The text below each heading of the second level."""
  parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
  return dict(zip(parts[1::2], parts[2::2], strict=True))


def tabled(section):
  """The options in the first column of a section's tables."""
  first = re.findall(r"^\| `(--[^`]*)`", section, re.MULTILINE)
  return [OPTION.match(cell)[0] for cell in first]


def options_of(parser):
  return {name for a in parser._actions for name in a.option_strings} - HELP


def flags():
  """The flags that train.py defines."""
  text = (ROOT / "train.py").read_text()
  return set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text))


def test_every_command_has_a_section_and_no_other_is_there():
  titles = [t for t in sections() if t.startswith("jaxlic")]
  assert sorted(titles) == sorted(commands())


@pytest.mark.parametrize("words", commands())
def test_the_options_of_a_command_are_those_of_its_table(words):
  parser, section = commands()[words], sections()[words]
  assert sorted(tabled(section)) == sorted(options_of(parser))
  assert set(OPTION.findall(section)) <= options_of(parser) | HELP


@pytest.mark.parametrize("words", commands())
def test_choices_are_told(words):
  for action in commands()[words]._actions:
    for choice in action.choices or ():
      assert re.search(rf"\b{choice}\b", sections()[words])


def test_the_flags_of_training_are_those_of_its_table():
  names = {name.removeprefix("--") for name in tabled(sections()[TRAIN])}
  assert {"config", "workdir"} <= flags()
  assert names == flags()


def test_what_holds_for_all_tells_no_option_that_is_not_there():
  known = {o for parser in commands().values() for o in options_of(parser)}
  known |= {"--help", "--version"}
  others = [text for t, text in sections().items() if not t.endswith(TRAIN)]
  head = PAGE[: PAGE.index("\n## ")]
  for text in (head, *others):
    assert set(OPTION.findall(text)) <= known
  assert {"--help", "--version"} <= set(OPTION.findall(head))


def test_every_example_is_taken_by_its_parser():
  examples = re.findall(r"^jaxlic .+?$", PAGE, re.MULTILINE)
  parser = cli._parser()
  assert len(examples) > 20
  for line in examples:
    for part in line.partition("#")[0].split(" | "):
      words = part.split(" < ")[0].split(" > ")[0].split()[1:]
      if words not in (["--help"], ["--version"]):
        parser.parse_args(words)


@pytest.mark.parametrize(
  "code", [0, cli.FAILED, cli.INTERRUPTED, cli.BROKEN_PIPE, 1]
)
def test_every_exit_code_is_told(code):
  assert f"\n| {code} |" in PAGE
