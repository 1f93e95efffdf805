"""Starts train.py as its users do: as processes, in a folder of photographs."""

import csv
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import jaxlic

ROOT = Path(jaxlic.__file__).parents[1]
CONFIG = ROOT / "configs" / "bmshj2018_factorized.py"


class Trainer:
  """Starts train.py in a folder with photographs."""

  def __init__(self, folder):
    self.folder = folder
    self.started = []

  def environment(self, devices=1):
    force = f"--xla_force_host_platform_device_count={devices}"
    return os.environ | {
      "JAX_PLATFORMS": "cpu",
      # More than a few CPU devices need a thread each, whatever the cores.
      "NPROC": "32",
      # Compile quickly, and once.
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
      "XLA_FLAGS": force,
      "JAX_COMPILATION_CACHE_DIR": str(self.folder / "cache"),
      "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
      "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }

  def start(self, workdir, *words, devices=1, blocks="unlimited"):
    """Starts a process whose files have at most so many blocks each."""
    limited = ["sh", "-c", f'ulimit -f {blocks} && exec "$@"', "sh"]
    process = subprocess.Popen(
      [*limited, sys.executable, ROOT / "train.py", f"--config={CONFIG}:toy"]
      + ["--config.data.folder=photos", f"--workdir={workdir}", *words],
      cwd=self.folder,
      env=self.environment(devices),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.started.append(process)
    return process

  def end(self):
    """Ends what a test that failed has left."""
    for process in self.started:
      if process.poll() is None:
        process.kill()
        process.communicate()
    self.started.clear()

  def run(self, workdir, *words, **options):
    """Returns the exit code, and what was printed."""
    process = self.start(workdir, *words, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err

  def losses(self, workdir):
    with open(self.folder / workdir / "train.csv") as file:
      return [float(row["loss"]) for row in csv.DictReader(file)]

  def wait_for(self, workdir, step):
    """Waits until a step, or a later one, was saved."""
    folder = self.folder / workdir / "checkpoints"
    for _ in range(3000):
      names = [path.parent.name for path in folder.glob("*/commit_*")]
      # Orbax gives what is not finished other names.
      if any(name.isdecimal() and int(name) >= step for name in names):
        return
      time.sleep(0.1)
    raise TimeoutError(f"{workdir} never saved step {step}")

  def run_hosts(self, workdir, *words, act=lambda processes: None):
    """Returns the exit codes of two processes that find each other here."""
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      port = free.getsockname()[1]
    processes = [
      self.start(
        workdir,
        f"--coordinator=127.0.0.1:{port}",
        "--num_processes=2",
        f"--process_id={i}",
        *words,
      )
      for i in range(2)
    ]
    act(processes)
    for process in processes:
      process.communicate(timeout=300)
    return [process.returncode for process in processes]


def make_trainer(folder):
  """Returns a trainer in a folder that it fills: photos/, and held/."""
  (folder / "photos" / "nested").mkdir(parents=True)
  (folder / "held").mkdir()
  values = np.random.default_rng(0)
  names = ["photos/0.png", "photos/1.jpg", "photos/nested/2.webp", "held/3.png"]
  for i, name in enumerate(names):
    small = Image.fromarray(values.integers(0, 256, (9, 8, 3), np.uint8))
    small.resize((72 + i, 80)).save(folder / name)
  (folder / "photos" / "broken.png").write_text("no image")
  return Trainer(folder)
