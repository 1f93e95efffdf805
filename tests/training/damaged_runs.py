"""Reads runs whose last checkpoint is damaged; prints what is said of each.

    python damaged_runs.py FOLDER

A process of its own: what Orbax gives up when a read fails ends in its threads,
and would fail whichever test runs then.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlic import training
from jaxlic.errors import JaxlicError
from jaxlic.training import checkpoints, devices
from jaxlic.training.config import Config, Model
from jaxlic.training.run import Run, load_average

CONFIG = Config(model=Model("none"))
DAMAGES = {
  "missing": lambda path: path.unlink(),
  "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
  "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
  "empty": lambda path: path.write_bytes(b""),
}
FILES = [
  "average/_METADATA",
  "average/manifest.ocdbt",
  "average/d/*",
  "state/_METADATA",
  "state/d/*",
  "data/d/*",
  "metrics/metrics",
]


def main(folder):
  checkpoints.quieten()
  save(folder / "whole")
  said = {}
  for file in FILES:
    for damage, do in DAMAGES.items():
      copy = folder / "copy"
      shutil.copytree(folder / "whole", copy)
      (path,) = (copy / "checkpoints" / "2").glob(file)
      do(path)
      said[f"{file} {damage}"] = [exported(copy), resumed(copy)]
      shutil.rmtree(copy)
  print(json.dumps(said))


def state_at(step):
  """A state whose parameters are its step."""
  params, zero = {"y": jnp.full(5, float(step))}, jnp.int32(0)
  state = training.State(
    step=jnp.int32(step),
    params=params,
    average=params,
    optimizer=optax.adam(1e-3).init(params),
    key=jax.random.key(0),
    totals={"steps": jnp.zeros(())},
    skipped=zero,
    streak=zero,
  )
  return devices.put(state)


def save(folder):
  with Run(folder, CONFIG, main=True) as run:
    run.describe()
    for step in (1, 2):
      run.save(state_at(step), step, loss=1.0, wait=True)


def exported(folder, step="last"):
  """The step whose average is found, or what is said instead."""
  try:
    return int(np.unique(load_average(folder, step=step)[1]["y"])[0])
  except JaxlicError as error:
    return str(error)


def resumed(folder):
  """The step of the state that is found, or what is said instead."""
  try:
    with Run(folder, CONFIG, main=True) as run:
      return int(run.restore(state_at(0)).state.step)
  except JaxlicError as error:
    return str(error)


if __name__ == "__main__":
  main(Path(sys.argv[1]))
