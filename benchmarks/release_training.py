"""The long training of the release codec, in a directory of its own.

    python benchmarks/release_training.py setup DIR PHOTOGRAPHS KODAK ANCHORS \
      [--config=configs/lapped.py] [--flag=--config.FIELD=VALUE ...]
    DIR/resume        starts it in the background, unless it runs
    DIR/report        what its codec gains on Kodak after a short decay

`setup` copies the tree and makes a virtual environment, so that later changes
of either do not disturb the run, and holds some photographs out. See
benchmarks/release_training.md.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

TREE = ("jaxlic", "configs", "benchmarks", "train.py", "pyproject.toml")
TREE += ("README.md", "LICENSE")
HELD_OUT = 120  # every so manieth photograph, by name, is not trained on
LEAST_FREE = 2 * 2**30  # bytes of disk: some checkpoints, and a report's codec
KEEP_MEMORY = {  # glibc gives none back to the system: 5 to 9 % faster
  "MALLOC_MMAP_MAX_": "0",
  "MALLOC_TRIM_THRESHOLD_": str(2**40),
  "MALLOC_ARENA_MAX": "1",
}
ANCHORS = ("jpeg", "jpeg2000", "webp", "av1", "bpg_444_x265_ycbcr", "vtm")


class Refused(Exception):
  """What is wrong, in one line."""


def main() -> int:
  """Runs one of the commands."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  commands = parser.add_subparsers(required=True)
  new = commands.add_parser("setup", help="make the directory")
  for name in ("directory", "photographs", "kodak", "anchors"):
    new.add_argument(name, type=Path)
  new.add_argument("--config", default="configs/lapped.py")
  new.add_argument("--flag", action="append", default=[], help="of train.py")
  new.set_defaults(run=setup)
  for function in (resume, train, report):
    command = commands.add_parser(function.__name__, help=function.__doc__)
    command.add_argument("directory", type=Path)
    command.set_defaults(run=function)
    if function is report:
      command.add_argument("--decay", type=int, help="steps")
  options = vars(parser.parse_args())
  try:
    options.pop("run")(**options)
  except Refused as error:
    print(f"release_training: {error}", file=sys.stderr)
    return 2
  return 0


def setup(directory, photographs, kodak, anchors, config, flag):
  """Makes the directory; it must not be there."""
  if directory.exists():
    raise Refused(f"{directory} is there already; run its resume, or remove it")
  root, tree = Path(__file__).resolve().parents[1], directory / "tree"
  tree.mkdir(parents=True)
  for name in TREE:
    source = root / name
    if source.is_dir():
      ignored = shutil.ignore_patterns("__pycache__")
      shutil.copytree(source, tree / name, ignore=ignored)
    else:
      shutil.copy(source, tree / name)
  names = sorted(path for path in photographs.resolve().iterdir())
  for i, path in enumerate(names):
    folder = directory / ("photos" if i % HELD_OUT else "held")
    folder.mkdir(exist_ok=True)
    (folder / path.name).symlink_to(path)
  facts = {"kodak": kodak, "anchors": anchors}
  facts = {name: str(path.resolve()) for name, path in facts.items()}
  facts |= {"flags": [f"--config={config}", *flag]}
  (directory / "facts.json").write_text(json.dumps(facts, indent=1))
  write_scripts(directory)
  venv.create(directory / "venv", with_pip=True)
  install = [python_of(directory), "-m", "pip", "install", "-q", "./tree"]
  subprocess.run(install, cwd=directory, check=True)


def write_scripts(directory):
  """Writes the commands that need no more than a shell to say what is wrong."""
  for command in ("resume", "report"):
    script = directory / command
    script.write_text(SCRIPT.format(command=command))
    script.chmod(0o755)


SCRIPT = """#!/bin/sh
cd "$(dirname "$0")" || exit 2
[ -x venv/bin/python ] || {{
  echo "{command}: needs its virtual environment, $PWD/venv; make it again:" \\
    "python3 -m venv venv && venv/bin/pip install ./tree" >&2
  exit 2
}}
exec venv/bin/python tree/benchmarks/release_training.py {command} . "$@"
"""


def resume(directory):
  """Starts the training in the background, unless it runs."""
  check_disk(directory)
  with lock(directory) as free:
    if not free:
      print(f"it runs: {last_line(directory)}")
      return
  command = [sys.executable, __file__, "train", directory.resolve()]
  with open(directory / "log", "a") as log:
    subprocess.Popen(
      ["nice", "-n", "19", *command],
      stdin=subprocess.DEVNULL,
      stdout=log,
      stderr=log,
      start_new_session=True,
    )
  print(f"it goes on after: {last_line(directory)}")


def train(directory):
  """Trains in the foreground; each line of the log begins with the hours."""
  with lock(directory) as free:
    if not free:
      raise Refused("it runs already")
    before, began = hours_of(directory), time.monotonic()
    process = subprocess.Popen(
      train_command(directory, "run"),
      cwd=directory / "tree",
      env=os.environ | KEEP_MEMORY,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    # Which saves, and exits.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    for line in process.stdout:
      hours = before + (time.monotonic() - began) / 3600
      print(f"{hours:.2f} h  {line}", end="", flush=True)
      (directory / "hours").write_text(f"{hours:.4f}\n")
    if process.wait():
      raise Refused(f"train.py ended with {process.returncode}, see above")


def report(directory, decay):
  """Branches off the last checkpoint, decays, exports, and rates on Kodak."""
  check_disk(directory)
  saved = [p.parent for p in directory.glob("run/checkpoints/*/commit_*")]
  steps = [int(path.name) for path in saved if path.name.isdecimal()]
  if not steps:
    raise Refused("no checkpoint yet; run resume, and wait for its first one")
  step, hours = max(steps), hours_of(directory)
  decay = decay or max(500, step // 10 // 100 * 100)
  branch = directory / f"branch-{step}"
  shutil.rmtree(branch, ignore_errors=True)
  (branch / "checkpoints").mkdir(parents=True)
  shutil.copy(directory / "run/config.json", branch)
  shutil.copytree(
    directory / f"run/checkpoints/{step}", branch / f"checkpoints/{step}"
  )
  facts = facts_of(directory)
  command = train_command(
    directory,
    branch.name,
    "--change_config",
    f"--config.optimizer.steps={step + decay}",
    f"--config.optimizer.decay_steps={decay}",
    "--config.eval.folder=",
  )
  jaxlic = [sys.executable, "-m", "jaxlic"]
  codec, curve = branch / "codec", branch / "rd.json"
  with open(branch / "log", "w") as log:
    for words in (
      command,
      [*jaxlic, "export", branch.resolve(), codec.resolve()],
      [*jaxlic, "eval", facts["kodak"], "--model", codec.resolve(), "--out"]
      + [curve.resolve()],
    ):
      words = ["nice", "-n", "19", *words]
      tree = directory / "tree"
      if subprocess.run(words, cwd=tree, stdout=log, stderr=log).returncode:
        raise Refused(f"a report failed; see {branch / 'log'}")
  shutil.rmtree(branch / "checkpoints")
  anchors = [Path(facts["anchors"]) / f"{name}.json" for name in ANCHORS]
  rated = subprocess.run(
    [sys.executable, "benchmarks/kodak.py", curve.resolve()]
    + [path for path in anchors if path.exists()],
    cwd=directory / "tree",
    capture_output=True,
    text=True,
  )
  # Of curves that share no quality there is none, and the last line says so.
  rates = rated.stdout.splitlines() or rated.stderr.splitlines()[-1:]
  line = f"step {step} + {decay}  {hours:.2f} h  {'  '.join(rates)}"
  with open(directory / "reports", "a") as file:
    file.write(f"{line}\n")
  print(line)


def train_command(directory, workdir, *flags):
  """The words that train in a workdir beside the tree."""
  place = directory.resolve()
  return [
    python_of(place),
    "train.py",
    *facts_of(directory)["flags"],
    f"--workdir={place / workdir}",
    f"--config.data.folder={place / 'photos'}",
    f"--config.eval.folder={place / 'held'}",
    *flags,
  ]


def python_of(directory):
  """The interpreter of the directory's virtual environment."""
  return directory.resolve() / "venv/bin/python"


@contextlib.contextmanager
def lock(directory):
  """Whether no training of the directory runs; holds it while it is open."""
  with open(directory / ".running", "w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      yield False
    else:
      yield True


def check_disk(directory):
  """Refuses a disk that has no room for the next checkpoints."""
  free = shutil.disk_usage(directory).free
  if free < LEAST_FREE:
    raise Refused(
      f"checkpoints need {LEAST_FREE / 2**30:.0f} GiB of disk, {directory} has "
      f"{free / 2**30:.1f} GiB left; free some"
    )


def facts_of(directory):
  """What `setup` was told."""
  return json.loads((directory / "facts.json").read_text())


def hours_of(directory):
  """The hours that the run has had."""
  path = directory / "hours"
  return float(path.read_text()) if path.exists() else 0.0


def last_line(directory):
  """The last line of the log."""
  path = directory / "log"
  lines = path.read_text().splitlines() if path.exists() else []
  return lines[-1] if lines else "nothing yet"


if __name__ == "__main__":
  sys.exit(main())
