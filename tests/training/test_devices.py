import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from jaxlic.errors import JaxlicError
from jaxlic.training import devices

pytestmark = pytest.mark.newest


def test_a_single_process_joins_nothing():
  devices.start(processes=1)
  assert jax.process_count() == 1 and devices.is_main()


def test_half_an_address_is_an_error():
  with pytest.raises(JaxlicError, match="go together, got h:1, None and 0"):
    devices.start("h:1", None, 0)


def test_batches_are_divided_among_devices_in_their_order():
  count = jax.local_device_count()
  batches = [(np.arange(8.0) + k, np.full((8, 2), k)) for k in range(5)]
  fed = list(devices.feed(iter(batches)))
  assert len(fed) == len(batches)
  for (a, b), (x, y) in zip(batches, fed, strict=True):
    assert x.shape == (count, 8 // count) and y.shape == (count, 8 // count, 2)
    np.testing.assert_array_equal(x.reshape(-1), a)
    np.testing.assert_array_equal(y.reshape(-1, 2), b)


def test_what_is_replicated_comes_back_from_the_first_device():
  replicated = devices.replicate(lambda: {"a": jax.numpy.arange(3)})
  put = devices.put({"a": np.arange(3)})
  for tree in (replicated, put):
    first = devices.unreplicate(tree)
    np.testing.assert_array_equal(first["a"], [0, 1, 2])


def test_a_sum_over_one_process_is_its_own():
  np.testing.assert_array_equal(devices.sum_over_processes(np.ones(2)), [1, 1])


@pytest.fixture
def stop():
  numbers = (signal.SIGTERM, signal.SIGINT)
  before = [signal.getsignal(n) for n in numbers]
  yield devices.Stop()
  for n, handler in zip(numbers, before, strict=True):
    signal.signal(n, handler)


def test_sigterm_asks_to_stop_however_often(stop):
  assert not stop.asked(1)
  for step in (2, 3):
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.asked(step)


def test_a_second_interrupt_gives_up(stop):
  os.kill(os.getpid(), signal.SIGINT)
  assert stop.asked(1)
  with pytest.raises(KeyboardInterrupt):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


@pytest.fixture
def initialized(monkeypatch):
  """The arguments of calls to JAX, which does nothing."""
  calls = []
  monkeypatch.setattr(
    jax.distributed, "initialize", lambda *a, **k: calls.append((a, k))
  )
  return calls


@pytest.mark.parametrize("name", ["SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"])
@pytest.mark.parametrize("count", ["1", "2"])
def test_the_only_process_of_a_cluster_keeps_all_devices(
  initialized, monkeypatch, name, count
):
  monkeypatch.setenv(name, count)
  devices.start()
  assert len(initialized) == int(count) - 1


def test_given_processes_use_the_devices_they_are_given(initialized):
  for numbers in (None, [0, 3]):
    devices.start("h:1", 2, 0, numbers)
    known, options = initialized.pop()
    assert known == ("h:1", 2, 0)
    # Or else JAX asks the cluster for devices nevertheless.
    assert options["cluster_detection_method"] == "deactivate"
    assert options["local_device_ids"] == numbers


def test_what_is_wrong_with_a_cluster_is_told(monkeypatch):
  with pytest.raises(JaxlicError, match="HOST:PORT, got h; add a port"):
    devices.start("h", 2, 0)

  def fail(*known, **options):
    raise ValueError("SLURM_PROCID is no number")

  monkeypatch.setattr(jax.distributed, "initialize", fail)
  with pytest.raises(JaxlicError, match="SLURM_PROCID is no number.; give"):
    devices.start()


def test_a_process_in_no_cluster_runs_alone():
  code = "from jaxlic.training import devices; devices.start(); "
  code += "import jax; assert jax.process_count() == 1"
  left = ("SLURM", "OMPI", "JAX_", "KUBERNETES")
  clean = {k: v for k, v in os.environ.items() if not k.startswith(left)}
  clean["JAX_PLATFORMS"] = "cpu"
  subprocess.run([sys.executable, "-c", code], env=clean, check=True)
