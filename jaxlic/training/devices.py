"""One script for a device, many devices, and many hosts.

Every process runs the same program on its own devices and its own share of
each batch; `jax.pmap` maps a step over all devices of all processes, and the
state is the same on each of them. One device is an axis of length 1.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from flax import jax_utils
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlic.errors import JaxlicError, one_line

_MPI_SIZE = "OMPI_COMM_WORLD_SIZE"
# What JAX says where no cluster is, nor the environment names a coordinator.
_NO_CLUSTER = "coordinator_address should be defined"


def start(
  coordinator: str | None = None,
  processes: int | None = None,
  process: int | None = None,
  local_devices: Sequence[int] | None = None,
) -> None:
  """Joins the other processes of this job; call it before any use of JAX.

  Without arguments the cluster is asked (SLURM, Kubernetes, Open MPI, Cloud
  TPU), and a process that is in none of them, or the only one, runs alone. So
  it does with `processes` 1.

  Args:
    coordinator: Address and port of process 0, as "10.0.0.1:1234".
    processes: How many processes there are.
    process: Which one this is, from 0.
    local_devices: Which GPUs of its host this process uses. None: all, but
      under SLURM and Open MPI one, by this process's number on the host.

  Raises:
    JaxlicError: If the others cannot be found.
  """
  known = (coordinator, processes, process)
  if processes == 1 or (known == (None,) * 3 and _is_alone(local_devices)):
    return
  if any(x is not None for x in known) and None in known:
    raise JaxlicError(
      "coordinator, num_processes and process_id go together, got "
      f"{coordinator}, {processes} and {process}; give all three or none"
    )
  if coordinator is not None and ":" not in coordinator:
    raise JaxlicError(
      f"coordinator is HOST:PORT, got {coordinator}; add a port"
    )
  try:
    jax.distributed.initialize(
      *known,
      local_device_ids=local_devices,
      # Else a cluster would still choose one device.
      cluster_detection_method="deactivate" if coordinator else None,
    )
  except ValueError as error:
    unasked = coordinator is None and local_devices is None
    if unasked and _NO_CLUSTER in str(error):
      return
    raise JaxlicError(
      f"cannot join the other processes ({one_line(error)}); give coordinator, "
      "num_processes and process_id"
    ) from error
  except RuntimeError as error:
    raise JaxlicError(
      f"cannot reach the coordinator {coordinator or 'of the cluster'}: "
      f"{one_line(error)}; check its address, and that every process started"
    ) from error


def _is_alone(local_devices: Sequence[int] | None) -> bool:
  """Whether a cluster says that there is one process, which has all devices."""
  tasks = os.environ.get("SLURM_NTASKS")
  return local_devices is None and os.environ.get(_MPI_SIZE, tasks) == "1"


def describe() -> str:
  """Returns a line on the devices and processes of this job."""
  kind = jax.devices()[0].device_kind
  return (
    f"devices: {jax.device_count()} ({kind}), {jax.local_device_count()} in "
    f"this process; processes: {jax.process_count()}"
  )


def map_step(
  step: Callable, axis: str, in_axes: tuple[int | None, ...] = (None, 0, 0)
) -> Callable:
  """Returns a step of training, mapped over all devices of all processes.

  It takes the state that all devices share, whose memory it may take over, and
  batches as `feed` yields them, or what `put` returns where `in_axes` is None;
  `axis` is the devices' name in the step.
  """
  return jax.pmap(
    step,
    axis_name=axis,
    in_axes=in_axes,
    out_axes=None,
    donate_argnums=0,
  )


def replicate(make: Callable[[], Any]) -> Any:
  """Returns what `make` returns, on all devices of this process."""
  mesh = Mesh(np.array(jax.local_devices()), ("devices",))
  return jax.jit(make, out_shardings=NamedSharding(mesh, PartitionSpec()))()


def put(tree: Any) -> Any:
  """Returns a tree of host arrays on all devices of this process."""
  mesh = Mesh(np.array(jax.local_devices()), ("devices",))
  return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def unreplicate(tree: Any) -> Any:
  """Returns what `replicate` did, as this process's first device has it."""
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
  """Whether the job was asked to end, by SIGTERM or Ctrl-C.

  A process that is alone notices at the next step. Several ask JAX's
  coordination service, which watches for SIGTERM and makes them all stop after
  the same step. More SIGTERMs change nothing; a second Ctrl-C gives up.
  """

  def __init__(self):
    self._asked = False
    signal.signal(signal.SIGINT, self._interrupt)
    if jax.process_count() == 1:
      signal.signal(signal.SIGTERM, self._ask)

  def _ask(self, number: int, frame: Any) -> None:
    if not self._asked:  # os.write, for a print may be what is interrupted
      os.write(2, b"stopping after the steps under way\n")
    self._asked = True

  def _interrupt(self, number: int, frame: Any) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(os.getpid(), signal.SIGTERM)

  def asked(self, step: int) -> bool:
    """Whether to stop after this step; to be called once per step."""
    if jax.process_count() == 1:
      return self._asked
    return multihost_utils.reached_preemption_sync_point(step)
