"""A damaged checkpoint is told in one line, which offers a sound one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxlic.errors import JaxlicError
from jaxlic.training import checkpoints
from tests.trainer import ROOT
from tests.training.damaged_runs import DAMAGES, FILES

pytestmark = [pytest.mark.newest, pytest.mark.slow]

SOUND = r"/checkpoints/2 is damaged \(.+\); checkpoint 1 is sound: "
EXPORT = f"{SOUND}name it with --checkpoint 1$"
RESUME = f"{SOUND}remove it to go on from 1, or give another --workdir$"
LOSS_FILE = "2/metrics/metrics"
LOSS = r"2/metrics/metrics is damaged \(.+\); remove this file: "


@pytest.fixture(scope="module")
def said(tmp_path_factory):
  """What export and a run that resumes say of every damage."""
  script = Path(__file__).with_name("damaged_runs.py")
  done = subprocess.run(
    [sys.executable, script, tmp_path_factory.mktemp("runs")],
    env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )
  # Orbax, asyncio and uvloop have nothing to add.
  assert (done.returncode, done.stderr) == (0, "")
  return json.loads(done.stdout)


def each(*trees):
  return [
    f"{file} {damage}"
    for file in FILES
    for damage in DAMAGES
    if file.split("/")[0] in trees
  ]


@pytest.mark.parametrize("damage", each("average"))
def test_an_export_offers_the_next_sound_checkpoint(said, damage):
  assert re.search(EXPORT, said[damage][0])
  assert re.search(RESUME, said[damage][1])


@pytest.mark.parametrize("damage", each("state", "data"))
def test_a_damage_beside_the_average_stops_no_export(said, damage):
  assert said[damage][0] == 2
  assert re.search(RESUME, said[damage][1])


@pytest.mark.parametrize("damage", each("metrics"))
def test_a_damaged_loss_names_its_file_and_one_that_is_missing_is_none(
  said, damage
):
  if damage.endswith("missing"):
    assert said[damage] == [2, 2]
    return
  for line in said[damage]:
    assert re.search(LOSS, line)


@pytest.mark.parametrize(
  "saved", ["{}", '{"loss": "x"}', "[1]", '{"loss": []}']
)
def test_metrics_without_a_loss_are_damaged(tmp_path, saved):
  path = tmp_path / LOSS_FILE
  path.parent.mkdir(parents=True)
  path.write_text(saved)
  with pytest.raises(JaxlicError, match=LOSS):
    checkpoints.check_losses(tmp_path)
  path.write_text('{"loss": 1.5}')
  checkpoints.check_losses(tmp_path)
