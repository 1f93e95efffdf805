"""README's Kodak numbers: BD-rates of an evaluation, and files vs estimates.

    jaxlic eval KODAK --out rd.json
    python benchmarks/kodak.py rd.json ANCHOR.json [ANCHOR.json ...]
    python benchmarks/kodak.py --estimate KODAK [--model NAME_OR_DIR]

The first form prints the BD-rate against each anchor, a file of CompressAI's
schema. The second compares each file's bytes with the rate estimate, per image
and quality, and fails where 0 < file - estimate < 1 % + 64 bytes does not hold.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from jaxlic import files, metrics, zoo
from jaxlic.data import images
from jaxlic.errors import JaxlicError


def main():
  """Prints one of the two tables."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("curves", nargs="*", help="rd.json, then anchors")
  parser.add_argument("--estimate", help="folder of photographs")
  parser.add_argument("--model", default=zoo.DEFAULT)
  options = parser.parse_args()
  if options.estimate:
    sys.exit(estimate(options.estimate, options.model))
  test, *anchors = [_curve(path) for path in options.curves]
  for path, anchor in zip(options.curves[1:], anchors, strict=True):
    try:
      print(f"{Path(path).stem}: {metrics.bd_rate(*anchor, *test):+.2f} %")
    except JaxlicError as error:
      print(f"{Path(path).stem}: none, {error}")


def estimate(folder: str, model: str) -> int:
  """Prints file minus estimate of every image; returns 1 if one is out."""
  trained = zoo.load(model)
  outside, excess = 0, []
  for path in images.list_photos(folder):
    photo = images.read(path)
    for quality in range(trained.spec.max_quality + 1):
      data = files.compress_photo(photo, quality=quality, model=trained)
      image = photo.pixels / np.float32(255)
      bits = trained.codec.evaluate(trained.params, image, quality).bits
      wanted = sum(bits.values()) / 8
      difference = len(data) - wanted
      outside += not 0 < difference < 0.01 * wanted + 64
      excess.append((difference, 100 * difference / wanted))
  size, percent = np.array(excess).T
  print(
    f"{len(excess)} files: {size.min():.1f} to {size.max():.1f} bytes over the "
    f"estimate, {percent.min():.3f} % to {percent.max():.3f} %; {outside} "
    "outside 1 % + 64 bytes"
  )
  return int(outside > 0)


def _curve(path):
  results = json.loads(Path(path).read_text())["results"]
  return results["bpp"], results.get("psnr-rgb", results.get("psnr"))


if __name__ == "__main__":
  main()
