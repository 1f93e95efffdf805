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
import csv
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
HELD_OUT = 120  # one photograph in so many, by name, is not trained on
LEAST_FREE = 2 * 2**30  # bytes of disk: some checkpoints, and a report's codec
ENVIRONMENT = {
  "PYTHONUNBUFFERED": "1",
  # glibc gives no memory back to the system: steps are 5 to 9 % faster.
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
  except (Refused, OSError, subprocess.CalledProcessError) as error:
    print(f"release_training: {error}", file=sys.stderr)
    return 2
  return 0


def setup(directory, photographs, kodak, anchors, config, flag):
  """Makes the directory; it must not be there."""
  if directory.exists():
    raise Refused(f"{directory} is there already; run its resume, or remove it")
  for folder in (photographs, kodak, anchors):
    if not folder.is_dir() or not any(folder.iterdir()):
      raise Refused(f"{folder} is no folder with files; name another")
  facts = {"kodak": str(kodak.resolve()), "anchors": str(anchors.resolve())}
  facts |= {"flags": [f"--config={config}", *flag]}
  try:
    copy_tree(directory / "tree")
    link_photographs(directory, photographs)
    (directory / "facts.json").write_text(json.dumps(facts, indent=1))
    write_scripts(directory)
    make_environment(directory)
  except BaseException:
    shutil.rmtree(directory, ignore_errors=True)
    raise


def copy_tree(tree):
  """Copies what the training runs on."""
  root = Path(__file__).resolve().parents[1]
  tree.mkdir(parents=True)
  for name in TREE:
    source = root / name
    if source.is_dir():
      ignored = shutil.ignore_patterns("__pycache__")
      shutil.copytree(source, tree / name, ignore=ignored)
    else:
      shutil.copy(source, tree / name)


def link_photographs(directory, photographs):
  """Divides a folder's files into those to train on and those held out."""
  files = [path for path in photographs.resolve().iterdir() if path.is_file()]
  for i, path in enumerate(sorted(files)):
    folder = directory / ("photos" if i % HELD_OUT else "held")
    folder.mkdir(exist_ok=True)
    (folder / path.name).symlink_to(path)


def make_environment(directory):
  """Installs the tree; versions.txt is what a new environment should have."""
  venv.create(directory / "venv", with_pip=True)
  pip = [python_of(directory), "-m", "pip"]
  if subprocess.run(
    [*pip, "install", "-q", "./tree"], cwd=directory
  ).returncode:
    raise Refused("the tree cannot be installed, see above; try again")
  versions = subprocess.run(
    [*pip, "freeze", "--exclude", "jaxlic"], capture_output=True, check=True
  )
  (directory / "versions.txt").write_bytes(versions.stdout)


def write_scripts(directory):
  """Writes the commands that need no more than a shell to say what is wrong."""
  for command in ("resume", "report"):
    script = directory / command
    script.write_text(SCRIPT.format(command=command))
    script.chmod(0o755)


SCRIPT = """#!/bin/sh
cd "$(dirname "$0")" || exit 2
venv/bin/python -c "import jaxlic" 2>/dev/null || {{
  echo "{command}: needs its virtual environment, $PWD/venv; make it again:" \\
    "cd $PWD && python3 -m venv venv &&" \\
    "venv/bin/pip install -c versions.txt ./tree" >&2
  exit 2
}}
exec venv/bin/python tree/benchmarks/release_training.py {command} . "$@"
"""


def resume(directory):
  """Starts the training in the background, unless it runs."""
  check_disk(directory)
  with lock(directory) as held:
    if not held:
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
  print(f"it starts; {directory / 'log'} ended with: {last_line(directory)}")


def train(directory):
  """Trains in the foreground; each line of the log begins with the hours."""
  with lock(directory) as held:
    if not held:
      raise Refused("it runs already; see its log")
    with subprocess.Popen(
      train_command(directory, "run"),
      cwd=directory / "tree",
      env=os.environ | ENVIRONMENT,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      # Whoever trains holds the lock, even without this process.
      pass_fds=(held.fileno(),),
    ) as process:
      # Which saves, and exits.
      previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
      try:
        tell(directory, process.stdout)
      except BaseException:
        process.terminate()
        raise
      finally:
        signal.signal(signal.SIGTERM, previous)
    if process.returncode:
      code = process.returncode
      raise Refused(f"train.py ended with {code}; see the lines before")


def tell(directory, lines):
  """Prints lines behind the hours that the run has had, which it keeps."""
  before, began = hours_of(directory), time.monotonic()
  for line in lines:
    hours = before + (time.monotonic() - began) / 3600
    print(f"{hours:.2f} h  {line}", end="", flush=True)
    write_hours(directory, hours)


def report(directory, decay):
  """Branches off the last checkpoint, decays, exports, and rates on Kodak."""
  check_disk(directory)
  saved = [p.parent for p in directory.glob("run/checkpoints/*/commit_*")]
  steps = [int(path.name) for path in saved if path.name.isdecimal()]
  if not steps:
    raise Refused("no checkpoint yet; run resume, and wait for its first one")
  if decay is not None and decay < 1:
    raise Refused(f"a decay takes 1 step or more, got {decay}; give another")
  step, hours = max(steps), hours_of(directory)
  decay = decay or max(500, step // 10 // 100 * 100)
  branch = directory / f"branch-{step}"
  if branch.exists():
    raise Refused(
      f"{branch} is there already; wait for its report or remove it"
    )
  start_branch(directory, branch, step)
  kodak = facts_of(directory)["kodak"]
  jaxlic, codec = [sys.executable, "-m", "jaxlic"], branch.resolve() / "codec"
  curve = branch.resolve() / "rd.json"
  run_all(
    directory,
    branch,
    branch_command(directory, branch, step, decay),
    [*jaxlic, "export", branch.resolve(), codec],
    [*jaxlic, "eval", kodak, "--model", codec, "--out", curve],
  )
  shutil.rmtree(branch / "checkpoints")
  line = f"step {step} + {decay}  {hours:.2f} h  {rates(directory, curve)}"
  with open(directory / "reports", "a") as file:
    file.write(f"{line}\n")
  print(line)


def start_branch(directory, branch, step):
  """Makes a work directory that goes on from a checkpoint of the run."""
  (branch / "checkpoints").mkdir(parents=True)
  shutil.copy(directory / "run/config.json", branch)
  shutil.copytree(
    directory / f"run/checkpoints/{step}", branch / f"checkpoints/{step}"
  )


def branch_command(directory, branch, step, decay):
  """The words that decay on a branch; the average forgets what was before."""
  with open(directory / "run/train.csv") as file:
    rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
  # The schedule does not count steps that were skipped.
  skipped = int(float(rows[-1]["skipped"])) if rows else 0
  return train_command(
    directory,
    branch.name,
    "--change_config",
    f"--config.optimizer.steps={step + decay}",
    f"--config.optimizer.decay_steps={decay + skipped}",
    f"--config.loss.average_decay={1 - min(10 / decay, 1)}",
    "--config.eval.folder=",
  )


def run_all(directory, branch, *commands):
  """Runs commands one after the other, behind all else, into a log."""
  with open(branch / "log", "w") as log:
    for words in commands:
      done = subprocess.run(
        ["nice", "-n", "19", *words],
        cwd=directory / "tree",
        env=os.environ | ENVIRONMENT,
        stdout=log,
        stderr=log,
      )
      if done.returncode:
        raise Refused(f"a report failed; see {branch / 'log'}, then remove it")


def rates(directory, curve):
  """The BD-rates of a curve against each anchor that there is, in a line."""
  folder = Path(facts_of(directory)["anchors"])
  anchors = [folder / f"{name}.json" for name in ANCHORS]
  rated = subprocess.run(
    [sys.executable, "benchmarks/kodak.py", curve]
    + [path for path in anchors if path.exists()],
    cwd=directory / "tree",
    capture_output=True,
    text=True,
    check=True,
  )
  return "  ".join(rated.stdout.splitlines())


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
  """Yields the file that holds the lock; None if a training has it."""
  with open(directory / ".running", "w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      yield None
    else:
      yield file


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


def write_hours(directory, hours):
  """Replaces the file whole, so that a full disk leaves the one before."""
  new = directory / "hours.new"
  with contextlib.suppress(OSError):
    new.write_text(f"{hours:.4f}\n")
    new.replace(directory / "hours")


def last_line(directory):
  """The last line of the log."""
  path = directory / "log"
  lines = path.read_text().splitlines() if path.exists() else []
  return lines[-1] if lines else "nothing yet"


if __name__ == "__main__":
  sys.exit(main())
