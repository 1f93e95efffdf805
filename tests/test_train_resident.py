"""Runs of `train.py` whose photographs stay in the devices' memory."""

import shutil

import jax
import numpy as np
import pytest

from jaxlic.training.run import load_average

pytestmark = [
  pytest.mark.slow,
  pytest.mark.usefixtures("no_process_outlives_its_test"),
]

RESIDENT = (
  "--config.data.resident",
  "--config.data.draw=pixels",
  "--config.log_every=5",
)


@pytest.fixture(scope="module")
def resident(trainer):
  """Losses of a run whose crops the device draws, in windows of five steps."""
  code, _, err = trainer.run("resident", *RESIDENT)
  assert code == 0, err
  return trainer.losses("resident")


@pytest.mark.parametrize("devices", [2, 8])
def test_devices_draw_the_same_crops_many_steps_at_once(
  trainer, resident, devices
):
  workdir, many = f"resident-{devices}", "--config.data.dispatch=5"
  code, _, err = trainer.run(workdir, *RESIDENT, many, devices=devices)
  assert code == 0, err
  # As above: sums in another order.
  np.testing.assert_allclose(trainer.losses(workdir), resident, rtol=1e-5)


def test_a_resident_run_goes_on_with_more_steps_at_once(trainer, resident):
  shutil.copytree(trainer.folder / "resident", trainer.folder / "resumed")
  shutil.rmtree(trainer.folder / "resumed" / "checkpoints" / "10")
  code, out, err = trainer.run(
    "resumed", *RESIDENT, "--config.data.dispatch=5", "--change_config"
  )
  assert code == 0 and "starting at step 5\n" in out, err
  # Other programs round otherwise: one of one step, and one of five.
  np.testing.assert_allclose(trainer.losses("resumed"), resident, rtol=1e-5)


def test_a_resident_run_goes_on_bit_for_bit(trainer, resident):
  many = (*RESIDENT, "--config.data.dispatch=5")
  for workdir, steps in (("many", 10), ("parts", 5), ("parts", 10)):
    last = f"--config.optimizer.steps={steps}"
    code, _, err = trainer.run(workdir, *many, last, "--change_config")
    assert code == 0, err
  assert trainer.losses("parts") == trainer.losses("many")
  averages = [
    load_average(trainer.folder / name)[1] for name in ("parts", "many")
  ]
  jax.tree.map(np.testing.assert_array_equal, *averages)


def test_hosts_draw_the_same_crops(trainer, resident):
  assert trainer.run_hosts("drawn", *RESIDENT) == [0, 0]
  np.testing.assert_allclose(trainer.losses("drawn"), resident, rtol=1e-5)
