"""One script for a device, many devices, and many hosts.

Every process runs the same program on its own devices and its own share of
each batch; `jax.pmap` maps a step over all devices of all processes, and the
state is the same on each of them. One device is an axis of length 1.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from flax import jax_utils
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlic.types import JaxlicError


def start(
  coordinator: str | None = None,
  processes: int | None = None,
  process: int | None = None,
) -> None:
  """Joins the other processes of this job; call it before any use of JAX.

  Without arguments the cluster is asked (SLURM, Kubernetes, Open MPI, Cloud
  TPU), and a process that is in none of them runs alone. So it does with
  `processes` 1.

  Args:
    coordinator: Address and port of process 0, as "10.0.0.1:1234".
    processes: How many processes there are.
    process: Which one this is, from 0.

  Raises:
    JaxlicError: If the others cannot be found.
  """
  if processes == 1:
    return
  known = (coordinator, processes, process)
  if any(x is not None for x in known) and None in known:
    raise JaxlicError(
      "coordinator, num_processes and process_id go together, got "
      f"{coordinator}, {processes} and {process}; give all three or none"
    )
  try:
    jax.distributed.initialize(*known)
  except ValueError as error:
    if coordinator is not None:
      raise JaxlicError(f"cannot join the other processes: {error}") from error
  except RuntimeError as error:
    raise JaxlicError(
      f"cannot reach the coordinator {coordinator}: {_line(error)}; check its "
      "address, and that every process was started"
    ) from error


def replicate(make: Callable[[], Any]) -> Any:
  """Returns what `make` returns, on all devices of this process."""
  mesh = Mesh(np.array(jax.local_devices()), ("devices",))
  return jax.jit(make, out_shardings=NamedSharding(mesh, PartitionSpec()))()


def put(tree: Any) -> Any:
  """Returns a tree of host arrays on all devices of this process."""
  mesh = Mesh(np.array(jax.local_devices()), ("devices",))
  return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def own(tree: Any) -> Any:
  """Returns replicated arrays as the first device of this process has them."""
  return jax.tree.map(lambda x: x.addressable_data(0), tree)


def feed(batches: Iterable[Any], *, ahead: int = 2) -> Iterator[Any]:
  """Yields batches on this process's devices, `ahead` of their use.

  Leading axes [b] become [devices, b / devices].
  """
  count = jax.local_device_count()

  def share(array):
    return array.reshape(count, -1, *array.shape[1:])

  shared = (jax.tree.map(share, tuple(batch)) for batch in batches)
  return jax_utils.prefetch_to_device(shared, ahead, jax.local_devices())


def is_main() -> bool:
  """Whether this process writes files and logs: the first of all."""
  return jax.process_index() == 0


def sum_over_processes(values: np.ndarray) -> np.ndarray:
  """Returns the sum of every process's array, the same on each."""
  if jax.process_count() == 1:
    return values
  return np.asarray(multihost_utils.process_allgather(values)).sum(0)


class Stop:
  """Whether the job was asked to end, by SIGTERM; agreed on by all processes.

  A process that is alone notices at the next step, Ctrl-C too; a second signal
  ends it at once. Several ask JAX's coordination service, which makes them all
  stop after the same step.
  """

  def __init__(self):
    self._asked = False
    if jax.process_count() == 1:
      for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, self._ask)

  def _ask(self, number: int, frame: Any) -> None:
    self._asked = True
    signal.signal(number, signal.SIG_DFL)

  def asked(self, step: int) -> bool:
    """Whether to stop after this step."""
    if jax.process_count() == 1:
      return self._asked
    return multihost_utils.reached_preemption_sync_point(step)


def _line(error: Exception) -> str:
  return " ".join(str(error).split())[:200]
