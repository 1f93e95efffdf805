"""A folder in one command, beside a command per file: time and memory.

    python benchmarks/batch.py PHOTOS [--repeats 3] [--model NAME] [--out FILE]

Programs are compiled and kept before anything is timed, as after a first use.
CPU seconds are those of all processes; memory is the peak of what they take
together, each shared page counted once (PSS, looked at 20 times a second). The
best of the repeats counts. Linux only.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_COMPRESS = [sys.executable, "-m", "jaxlic", "compress"]


def main():
  """Prints a table in Markdown, and writes it as JSON if asked."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("folder", help="photographs")
  parser.add_argument("--repeats", type=int, default=3)
  parser.add_argument("--model", default="lapped-1")
  parser.add_argument("--out", help="FILE.json")
  options = parser.parse_args()
  rows = []
  with tempfile.TemporaryDirectory() as temporary:
    out = Path(temporary)
    _measured(_ways(options, out)["one call"])  # compiles
    for name, command in _ways(options, out).items():
      runs = [_measured(command) for _ in range(options.repeats)]
      rows.append({"way": name} | min(runs, key=lambda run: run["seconds"]))
  print(
    "| way | seconds | CPU seconds | peak memory, MiB |\n|---|---:|---:|---:|"
  )
  for row in rows:
    print(
      f"| {row['way']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | "
      f"{row['peak_mib']:,.0f} |"
    )
  if options.out:
    Path(options.out).write_text(json.dumps(rows, indent=1) + "\n")


def _ways(options: argparse.Namespace, out: Path) -> dict[str, list[str]]:
  """Commands by what they are called."""
  tail = f"--model {options.model}"
  words = " ".join(_COMPRESS)
  loop = (
    f'for f in "{options.folder}"/*; do {words} "$f" '
    f'"{out}/$(basename "${{f%.*}}").jlic" {tail} || exit 1; done'
  )
  many = [*_COMPRESS, options.folder, "--output-dir", str(out), *tail.split()]
  return {
    "shell loop": ["sh", "-c", loop],
    "one call": many,
    "one call, --jobs 2": [*many, "--jobs", "2"],
  }


def _measured(command: list[str]) -> dict[str, float]:
  """Runs a command in a group of its own, and looks on."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  start, peak = time.perf_counter(), 0
  process = subprocess.Popen(
    command, start_new_session=True, stdout=subprocess.DEVNULL
  )
  while process.poll() is None:
    peak = max(peak, _pss(process.pid))
    time.sleep(0.05)
  if process.returncode:
    raise SystemExit(f"{command[:4]}... failed")
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return {
    "seconds": time.perf_counter() - start,
    "cpu_seconds": after.ru_utime
    + after.ru_stime
    - before.ru_utime
    - before.ru_stime,
    "peak_mib": peak / 2**20,
  }


def _pss(session: int) -> int:
  """Bytes of all processes of a session."""
  total = 0
  for entry in os.listdir("/proc"):
    try:
      if entry.isdecimal() and os.getsid(int(entry)) == session:
        lines = Path("/proc", entry, "smaps_rollup").read_text().splitlines()
        total += 1024 * int(
          next(x for x in lines if x[:4] == "Pss:").split()[1]
        )
    except (OSError, StopIteration):
      continue  # it ended
  return total


if __name__ == "__main__":
  main()
