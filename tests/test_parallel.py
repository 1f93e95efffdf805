import os
import signal

import jax
import numpy as np
import pytest

from jaxlic import parallel
from jaxlic.types import JaxlicError


def test_a_single_process_joins_nothing():
  parallel.start(processes=1)
  assert jax.process_count() == 1 and parallel.is_main()


def test_half_an_address_is_an_error():
  with pytest.raises(JaxlicError, match="go together, got h:1, None and 0"):
    parallel.start("h:1", None, 0)


def test_batches_are_divided_among_devices_in_their_order():
  count = jax.local_device_count()
  batches = [(np.arange(8.0) + k, np.full((8, 2), k)) for k in range(5)]
  fed = list(parallel.feed(iter(batches)))
  assert len(fed) == len(batches)
  for (a, b), (x, y) in zip(batches, fed, strict=True):
    assert x.shape == (count, 8 // count) and y.shape == (count, 8 // count, 2)
    np.testing.assert_array_equal(x.reshape(-1), a)
    np.testing.assert_array_equal(y.reshape(-1, 2), b)


def test_what_is_replicated_comes_back_from_the_first_device():
  made = parallel.replicate(lambda: {"a": jax.numpy.arange(3)})
  put = parallel.put({"a": np.arange(3)})
  for tree in (made, put):
    np.testing.assert_array_equal(parallel.own(tree)["a"], [0, 1, 2])


def test_a_sum_over_one_process_is_its_own():
  np.testing.assert_array_equal(parallel.sum_over_processes(np.ones(2)), [1, 1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop_once(number):
  before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
  try:
    stop = parallel.Stop()
    assert not stop.asked(1)
    os.kill(os.getpid(), number)
    assert stop.asked(2) and stop.asked(3)
    assert signal.getsignal(number) == signal.SIG_DFL
  finally:
    for n, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
      signal.signal(n, handler)
