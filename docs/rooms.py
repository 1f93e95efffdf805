"""The picture of the rooms and who imports whom, from the table of the tests.

    python docs/rooms.py

writes docs/pictures/rooms.svg. Rooms stand above those that they import; an
arrow that follows from others is left out. Its description has the table, so
that the tests know whether it is drawn anew. It needs the extra `plots`.
"""

import importlib.util
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "test_layers.py"
TARGET = ROOT / "docs" / "pictures" / "rooms.svg"
HIDDEN = {"errors", "types", "quality", "pretrained", "__main__", "__init__"}
DOORS = {  # what each of the five doors is for
  "what codes": ("coding", "codec"),
  "what trains": ("training",),
  "what is kept": ("zoo",),
  "what users call": ("files", "cli", "pillow"),
  "what measures": ("metrics", "evaluation"),
}
COLOURS = ("#f5b7b1", "#aed6f1", "#fad7a0", "#abebc6", "#d7bde2")
PLAIN = "#eeeeee"
WIDTH, HEIGHT = 1.5, 0.5  # of a room
ROW, COLUMN = 1.2, 1.9  # from one room's middle to the next
COLUMNS = {  # where a room stands in its row, so that no arrow meets a box
  "nn": 0,
  "quantize": 1,
  "coding": 2,
  "data": 3,
  "metrics": 4,
  "densities": 1,
  "codec": 2,
  "training": 4.6,
  "entropy": 0,
  "models": 1,
  "zoo": 2,
  "compressai": 1,
  "files": 3,
  "pillow": 1.5,
  "evaluation": 3.5,
  "cli": 4,
}


def main() -> None:
  """Writes the picture."""
  arrows = read_arrows()
  rows = into_rows(arrows)
  places = {
    room: (COLUMNS[room] * COLUMN, height * ROW)
    for height, row in enumerate(rows)
    for room in row
  }
  told = "; ".join(
    " ".join([room, *sorted(below)]) for room, below in arrows.items()
  )
  with plt.rc_context({"svg.hashsalt": "jaxlic", "font.size": 11}):
    figure = draw(places, needed(arrows))
    figure.savefig(TARGET, metadata={"Date": None, "Description": told})
  print(TARGET.relative_to(ROOT))


def read_arrows() -> dict[str, set[str]]:
  """Returns the rooms that each room imports, by name."""
  spec = importlib.util.spec_from_file_location("layers", TABLE)
  table = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(table)
  return {
    room: {name.split(".")[0] for name in names} - HIDDEN
    for room, names in table.ARROWS.items()
    if room not in HIDDEN
  }


def into_rows(arrows: dict[str, set[str]]) -> list[list[str]]:
  """Returns the rooms from the lowest row up; each is above what it imports."""
  rows, placed = [], set()
  while len(placed) < len(arrows):
    row = [r for r in arrows if r not in placed and arrows[r] <= placed]
    rows.append(row)
    placed |= set(row)
  return rows


def needed(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
  """Returns the arrows that do not follow from others."""
  reached = {
    room: set().union(*(_below(arrows, other) for other in below))
    for room, below in arrows.items()
  }
  return [
    (room, other)
    for room, below in arrows.items()
    for other in sorted(below - reached[room])
  ]


def draw(
  places: dict[str, tuple[float, float]], arrows: list[tuple[str, str]]
) -> plt.Figure:
  """Returns boxes at their places, arrows, and what the colours mean."""
  figure, axes = plt.subplots(figsize=(9.5, 7), layout="constrained")
  for room, other in arrows:
    (x, y), (to_x, to_y) = places[room], places[other]
    axes.annotate(
      "",
      (to_x, to_y + HEIGHT / 2),
      (x, y - HEIGHT / 2),
      arrowprops={"arrowstyle": "->", "color": "#777777", "shrinkB": 1},
    )
  for room, (x, y) in places.items():
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    style = {"boxstyle": "round,pad=0,rounding_size=0.1", "ec": "#555555"}
    box = FancyBboxPatch(corner, WIDTH, HEIGHT, fc=_colour(room), **style)
    axes.add_patch(box)
    axes.text(x, y, room, ha="center", va="center")
  for colour, door in zip(COLOURS, DOORS, strict=True):
    axes.plot([], [], "s", color=colour, markersize=12, label=door)
  axes.legend(loc="upper left", frameon=False)
  axes.set_axis_off()
  axes.set_aspect("equal")
  axes.autoscale_view()
  return figure


def _below(arrows: dict[str, set[str]], room: str) -> set[str]:
  """All that a room imports, and what that imports."""
  return arrows[room].union(*(_below(arrows, other) for other in arrows[room]))


def _colour(room: str) -> str:
  for colour, rooms in zip(COLOURS, DOORS.values(), strict=True):
    if room in rooms:
      return colour
  return PLAIN


if __name__ == "__main__":
  main()
