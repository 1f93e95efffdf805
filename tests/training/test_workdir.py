import json

import jax
import pytest

from configs import bmshj2018_hyperprior, lapped
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes
from jaxlic.training.config import Config, Data, Optimizer
from jaxlic.training.run import Run


@pytest.fixture(scope="module")
def config():
  return bmshj2018_hyperprior.get_config("toy")


def make_run(folder, config, **options):
  with Run(folder, config, main=True, **options) as run:
    run.describe()


def test_a_directory_is_of_one_training_at_a_time(tmp_path, config):
  with Run(tmp_path, config, main=True):
    with pytest.raises(JaxlicError, match="in use by another training; wait"):
      Run(tmp_path, config, main=True)
    # A process that is not the main one writes nothing.
    with Run(tmp_path, config, main=False):
      pass
  make_run(tmp_path, config)


def test_a_configuration_of_the_package_is_that_of_its_flags(tmp_path, config):
  make_run(tmp_path, config)
  before = (tmp_path / "config.json").read_text()
  same = Config(
    data=Data(batch=8, smallest_scale=0.5),
    optimizer=Optimizer(steps=1_000_000),
    model=recipes.published("bmshj2018-hyperprior"),
  )
  make_run(tmp_path, recipes.toy(same, width=6, latent=8))
  assert (tmp_path / "config.json").read_text() == before
  with pytest.raises(JaxlicError, match="run with data.batch 8, not 4; give"):
    same.data.batch = 4
    make_run(tmp_path, same)


@pytest.mark.parametrize(
  ("field", "value", "change", "match"),
  [
    ("seed", 1, False, "seed 0, not 1; give another --workdir, or --change"),
    ("optimizer.learning_rate", 1.0, False, "learning_rate 0.0001, not 1.0"),
    ("optimizer.learning_rate", 1.0, True, None),
    ("log_every", 77, False, None),
    ("data.folder", "elsewhere", False, None),
    ("eval.every", 77, False, None),
    ("eval.split", 1, False, "eval.split 0, not 1; give another --workdir, or"),
    ("eval.split", 1, True, None),
    ("data.limit", 5, False, "data.limit 0, not 5; give another --workdir"),
    ("data.smallest_side", 5, False, "data.smallest_side 0, not 5"),
    ("data.crop_sizes", (64,), False, r"data.crop_sizes \[\], not \[64\]"),
    ("model.name", "x", True, "not x; give another --workdir$"),
  ],
)
def test_a_directory_of_another_configuration_is_refused(
  tmp_path, config, field, value, change, match
):
  make_run(tmp_path, config)
  other = config.copy_and_resolve_references()
  other.update_from_flattened_dict({field: value})
  before = (tmp_path / "config.json").read_text()
  if match is None:
    make_run(tmp_path, other, change=change)
    assert (tmp_path / "config.json").read_text() != before
    return
  with pytest.raises(JaxlicError, match=match):
    make_run(tmp_path, other, change=change)
  assert (tmp_path / "config.json").read_text() == before


@pytest.mark.parametrize("name", ["crop_sizes", "limit", "smallest_side"])
def test_a_run_older_than_a_field_goes_on_with_its_default(
  tmp_path, config, name
):
  make_run(tmp_path, config)
  path = tmp_path / "config.json"
  before = json.loads(path.read_text())
  del before["data"][name]
  path.write_text(json.dumps(before))
  other = config.copy_and_resolve_references()
  other.data[name] = (64,) if name == "crop_sizes" else 5
  with pytest.raises(JaxlicError, match=f"holds a run with data.{name} "):
    make_run(tmp_path, other)
  make_run(tmp_path, config)


def test_a_directory_of_another_model_names_what_differs(tmp_path, config):
  make_run(tmp_path, config)
  for change in (False, True):
    with pytest.raises(JaxlicError, match=r"model.name bmsh.*--workdir$"):
      make_run(tmp_path, lapped.get_config("toy"), change=change)


def test_versions_are_kept_beside_the_configuration(tmp_path, config, caplog):
  make_run(tmp_path, config)
  path = tmp_path / "versions.json"
  (versions,) = json.loads(path.read_text())
  path.write_text(json.dumps([versions | {"jax": "0.1"}]))
  make_run(tmp_path, config)
  assert "jax was 0.1 until step 0 and is" in caplog.text
  assert "no longer bit for bit" in caplog.text
  assert [v["jax"] for v in json.loads(path.read_text())] == [
    "0.1",
    jax.__version__,
  ]
  assert versions["jax"] == jax.__version__
  assert versions["devices"].startswith(f"{jax.device_count()} cpu")
  assert {"jaxlic", "python", "orbax-checkpoint", "grain"} <= versions.keys()
