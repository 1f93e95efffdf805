"""What a quality map does at equal bytes: PSNR inside and outside a mask.

    python benchmarks/quality_map.py KODAK CODEC --quality 1

The mask is the middle half of the rows and columns, white on black; the codec
is of an architecture that takes a map. Without a map the photograph is coded at
the given quality, with it at the one whose file is as large, within 1 %.
"""

import argparse

import numpy as np

import jaxlic
from jaxlic import files, zoo
from jaxlic.data import images


def main():
  """Prints the means over the photographs that were matched."""
  parser = argparse.ArgumentParser()
  parser.add_argument("folder")
  parser.add_argument("model")
  parser.add_argument("--quality", type=float, default=1.0)
  options = parser.parse_args()
  model = zoo.load(options.model)
  paths = images.list_photos(options.folder)
  rows = [compare(images.read(path).pixels, model, options) for path in paths]
  matched = np.array([row for row in rows if row is not None])
  print(f"{len(matched)} of {len(rows)} photographs at equal bytes")
  for name, (plain, mapped) in zip(
    ("inside", "outside"), matched.mean(0), strict=True
  ):
    print(f"PSNR {name}: {plain:.2f} dB, with the map {mapped:.2f} dB")


def compare(pixels, model, options):
  """PSNRs [inside and outside, without and with a map], or None."""
  height, width = pixels.shape[:2]
  mask = np.zeros((height, width), np.float32)
  middle = slice(height // 4, -height // 4), slice(width // 4, -width // 4)
  mask[middle] = 1.0
  plain = files.compress(pixels, quality=options.quality, model=model)
  mapped = jaxlic.compress_to(
    pixels,
    target_bpp=8 * len(plain) / mask.size,
    model=model,
    quality_map=mask,
  )
  if not mapped.reached:
    return None
  shown = [files.decompress(d, model=model) for d in (plain, mapped.data)]
  errors = [((s / 255 - pixels / 255) ** 2).mean(-1) for s in shown]
  return [
    [-10 * np.log10(error[mask == side].mean()) for error in errors]
    for side in (1, 0)
  ]


if __name__ == "__main__":
  main()
