"""The rate-distortion plot of README and documentation, from kept results.

    python benchmarks/curves.py

writes docs/pictures/kodak.svg: the embedded codecs, from
benchmarks/results/kodak-NAME.json (`jaxlic eval KODAK --out`), beside curves in
CompressAI's schema, benchmarks/results/anchors. Its description has their
checksums, so that the tests know whether it is drawn anew. It needs the extra
`plots`.
"""

import json
import zlib
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt  # noqa: E402

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TARGET = ROOT / "docs" / "pictures" / "kodak.svg"
OURS = {"lapped-2": "#c0392b", "lapped-1": "#e59866"}  # their colours
# From the least to the most bits at equal PSNR: colour, and kind of line.
OTHERS = {
  "vtm": ("#111111", "-"),
  "cheng2020-anchor": ("#2471a3", ":"),
  "av1": ("#666666", "-."),
  "mbt2018-mean": ("#5dade2", ":"),
  "bpg": ("#444444", "--"),
  "webp": ("#8a8a8a", "-"),
  "jpeg2000": ("#9c9c9c", "--"),
  "jpeg": ("#b0b0b0", "-"),
}
LARGEST_BPP = 1.4
RC = {
  "font.family": "DejaVu Sans",
  "font.size": 11,
  "svg.hashsalt": "jaxlic",  # the same names in each run
  "axes.spines.top": False,
  "axes.spines.right": False,
}


class Curve(NamedTuple):
  """Rate and distortion of a codec, means over photographs."""

  name: str
  bpp: list[float]
  psnr_db: list[float]


def main() -> None:
  """Writes the picture."""
  TARGET.parent.mkdir(exist_ok=True)
  with plt.rc_context(RC):
    figure = draw()
    told = {"Date": None, "Description": checksums()}
    figure.savefig(TARGET, metadata=told)
  print(TARGET.relative_to(ROOT))


def checksums() -> str:
  """Returns the files of all curves, and the CRC-32 of what each holds."""
  ours = [RESULTS / f"kodak-{name}.json" for name in OURS]
  others = [RESULTS / "anchors" / f"{name}.json" for name in OTHERS]
  return ", ".join(
    f"{path.relative_to(RESULTS)} {zlib.crc32(path.read_bytes()):08x}"
    for path in (*ours, *others)
  )


def read(path: Path) -> Curve:
  """Returns the curve of a file in CompressAI's schema."""
  kept = json.loads(path.read_text())
  results = kept["results"]
  return Curve(kept["name"], results["bpp"], results["psnr-rgb"])


def draw() -> plt.Figure:
  """Returns PSNR over bits per pixel, one line for each codec."""
  figure, axes = plt.subplots(figsize=(9.5, 5), layout="constrained")
  for name, colour in OURS.items():
    curve = read(RESULTS / f"kodak-{name}.json")
    _plot(axes, curve, color=colour, marker="o", linewidth=2.4, zorder=3)
  for name, (colour, style) in OTHERS.items():
    curve = read(RESULTS / "anchors" / f"{name}.json")
    _plot(axes, curve, color=colour, linestyle=style, linewidth=1.4)
  axes.set(
    xlabel="bits per pixel",
    ylabel="PSNR of 8-bit RGB, dB",
    title="Kodak, 24 photographs, whole files",
    xlim=(0, LARGEST_BPP),
    ylim=(25, 40),
  )
  axes.grid(alpha=0.3)
  figure.legend(frameon=False, loc="outside right center")
  return figure


def _plot(axes: plt.Axes, curve: Curve, **style) -> None:
  axes.plot(curve.bpp, curve.psnr_db, label=curve.name, **style)


if __name__ == "__main__":
  main()
