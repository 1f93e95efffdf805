"""What is wrong with the command line of train.py, in one line."""

import sys
from pathlib import Path

import pytest

import train
from configs import default
from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.training import command_line

# ml_collections' way to import a configuration's file.
pytestmark = pytest.mark.filterwarnings("ignore:.*load_module")


@pytest.fixture
def parse(monkeypatch):
  """Parses words, and leaves no flag set."""

  def run(words):
    words = ["train.py", *words]
    monkeypatch.setattr(sys, "argv", words)
    train.flags.FLAGS.unparse_flags()
    return command_line.parse(words)

  yield run
  train.flags.FLAGS.unparse_flags()
  train.flags.FLAGS.mark_as_parsed()


def test_local_devices_are_numbers():
  assert command_line.device_numbers(None) is None
  assert command_line.device_numbers(["0", "3"]) == [0, 3]
  with pytest.raises(JaxlicError, match="are numbers, got 0,a; write"):
    command_line.device_numbers(["0", "a"])


@pytest.mark.parametrize(
  ("words", "match"),
  [
    ("--workdir=w", "--config is missing; give"),
    ("--config={toy}", "--workdir is missing; give"),
    ("--config={toy} --workdir=", "--workdir is missing; give"),
    (
      "--config=nope.py --workdir=w",
      "--config cannot be read .No such.*nope.py'",
    ),
    ("--config={big} --workdir=w", "^a configuration's .* got 'big'; .*toy$"),
    ("--config={default} --workdir=w", "default.py has no model; name one"),
    ("--config={default}:x --workdir=w", "an architecture is .*, got 'x'; imp"),
    (
      "--config={default}:theis2017:big --workdir=w",
      "^a configuration's .* got 'big'; .*toy$",
    ),
    (
      "--config={default}:scgain --workdir=w --config.model.options.hidden=x",
      "model.options.hidden=x.*int",
    ),
    ("--config={toy} --workdir=w config.seed=1", "only flags, got 'config.se"),
    (
      "--config={toy} --workdir=w --config.optimizer.stepz=1",
      'has no field optimizer.stepz; did you mean "steps".$',
    ),
    (
      "--config={toy} --workdir=w --config.seed.x=1",
      "has no field seed.x; see jaxlic/training/config.py$",
    ),
  ],
)
def test_a_mistake_on_the_command_line_is_told(parse, words, match):
  folder = Path(default.__file__).parent
  files = {size: f"{folder}/lapped.py:{size}" for size in ("toy", "big")}
  words = words.format(default=f"{folder}/default.py", **files)
  with pytest.raises(JaxlicError, match=match):
    parse(words.split())


def test_a_model_and_its_options_are_flags(parse):
  parse(
    [
      f"--config={default.__file__}:theis2017",
      "--workdir=w",
      "--config.model.options.width=64",
      "--config.model.options.latent=48",
      "--config.data.batch=4",
    ]
  )
  config = train.CONFIG.value
  options = models.options("theis2017") | {"width": 64, "latent": 48}
  assert config.model.name == "theis2017" and config.data.batch == 4
  assert config.model.options.to_dict() == options
  assert train.make_model(config).stages[0].spec.channels == 48


def test_modules_are_known_before_other_flags_are_read():
  words = (
    "train.py --config=a.py --import=b --workdir w --import c.py -import d"
  )
  assert command_line.imported(words.split()) == ["b", "c.py", "d"]
  assert command_line.imported(["train.py", "--config=a.py"]) == []
  with pytest.raises(JaxlicError, match="import"):
    command_line.imported(["train.py", "--import"])


@pytest.mark.parametrize(
  ("lines", "match"),
  [
    (
      "  config = default.get_config()\n  config.optimizr.steps = 3\n",
      "wrong.py, line 7: .*optimizr",
    ),
    (
      '  return Config(optimizr=1, model="lapped")\n',
      "wrong.py, line 6: .*unexpected keyword argument 'optimizr'; correct",
    ),
  ],
)
def test_a_mistake_inside_a_config_is_told_with_its_line(
  parse, tmp_path, lines, match
):
  path = tmp_path / "wrong.py"
  path.write_text(
    "from configs import default\nfrom jaxlic.training.config import Config\n"
    f"\n\ndef get_config():\n{lines}"
  )
  with pytest.raises(JaxlicError, match=match):
    parse([f"--config={path}", "--workdir=w"])


def test_a_module_that_a_config_lacks_is_told(parse, tmp_path):
  path = tmp_path / "lacking.py"
  path.write_text("import laplace_dst\n")
  with pytest.raises(JaxlicError, match=r"'laplace_dst'\); .*--import=PATH"):
    parse([f"--config={path}", "--workdir=w"])
