"""Runs the notebooks, and keeps what they show.

    python colabs/run.py                   # all; the first failure ends it
    python colabs/run.py compress --write  # and keeps what this one shows

What is written has no times, paths or widgets' states, so that it changes only
where a picture or a number does. A notebook that fails stays as it is, and the
exit code is 1. It needs `pip install '.[colabs]'`.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import (
  CellExecutionError,
  CellTimeoutError,
  DeadKernelError,
)
from nbformat import NotebookNode

from jaxlic.data import output

FOLDER = Path(__file__).parent
LONGEST_CELL_S = 900
FAILURES = CellExecutionError, CellTimeoutError, DeadKernelError
WIDGETS = "application/vnd.jupyter.widget"  # begins the names of their types
METADATA = {
  "accelerator": "GPU",  # which Colab then offers
  "colab": {"provenance": []},
  "kernelspec": {
    "display_name": "Python 3",
    "language": "python",
    "name": "python3",
  },
  "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def main() -> None:
  """Runs what the words name."""
  every = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("names", nargs="*", help="notebooks; by default all")
  parser.add_argument("--write", action="store_true", help="keep the outputs")
  options = parser.parse_args()
  if unknown := set(options.names) - set(every):
    parser.error(
      f"no notebook {', '.join(unknown)}; there is {', '.join(every)}"
    )
  for name in options.names or every:
    path, began = FOLDER / f"{name}.ipynb", time.perf_counter()
    try:
      notebook = execute(path)
    except FAILURES as error:
      sys.exit(f"{error}\n{name} failed, see above")
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    if options.write:
      text = nbformat.writes(quiet(notebook)).rstrip() + "\n"
      output.write_bytes(path, text.encode())


def execute(path: Path) -> NotebookNode:
  """Returns the notebook with the outputs of a run from top to bottom."""
  notebook = nbformat.read(path, as_version=4)
  client = NotebookClient(
    notebook,
    timeout=LONGEST_CELL_S,
    kernel_name="python3",
    resources={"metadata": {"path": str(path.parent)}},
    record_timing=False,
    store_widget_state=False,
  )
  return client.execute()


def quiet(notebook: NotebookNode) -> NotebookNode:
  """Returns the notebook without what differs from run to run."""
  notebook.metadata = nbformat.from_dict(METADATA)
  for number, cell in enumerate(notebook.cells):
    cell.id = f"cell-{number}"
    cell.metadata = nbformat.from_dict(_kept(cell.metadata))
    if cell.cell_type == "code":
      cell.execution_count = None
      cell.outputs = [_quiet(o) for o in cell.outputs if _is_shown(o)]
  return notebook


def _kept(metadata: NotebookNode) -> dict:
  """What Colab and the documentation read of a cell's metadata."""
  return {key: metadata[key] for key in ("cellView", "tags") if key in metadata}


def _is_shown(output: NotebookNode) -> bool:
  """Whether the output is neither a progress bar nor a widget."""
  if output.output_type == "stream":
    return output.name == "stdout"
  return not any(kind.startswith(WIDGETS) for kind in output.get("data", {}))


def _quiet(output: NotebookNode) -> NotebookNode:
  """A picture's text tells an address in memory, or its size in pixels."""
  if "execution_count" in output:
    output.execution_count = None
  if any(kind.startswith("image/") for kind in output.get("data", {})):
    output.data.pop("text/plain", None)
  return output


if __name__ == "__main__":
  main()
