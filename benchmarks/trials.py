"""Short trainings of a recipe, side by side: BD-rates of held-out curves.

    python train.py --config=... --workdir=RUN --config.eval.folder=KODAK \
      --config.eval.crop=384 --config.eval.pictures=0 ...
    python benchmarks/trials.py KODAK RUN [RUN ...] [--codec lapped-1]

Prints, for the last evaluation of each run, the BD-rate against the first run,
and against JPEG (Pillow, 4:2:0, whole files) on the same centre crops. Rates
are estimates, latents rounded as in files. `--codec` adds a finished codec,
rated likewise.
"""

import argparse
import csv
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from jaxlic import metrics, models, zoo
from jaxlic.training import held_out
from jaxlic.training.config import Eval, Loss

JPEG_QUALITIES = (4, 7, 12, 20, 35, 55, 75, 85, 92, 95)


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("folder", help="of the photographs that runs held out")
  parser.add_argument("runs", nargs="+", type=Path)
  parser.add_argument("--codec", help="a finished codec, last in the table")
  parser.add_argument("--crop", type=int, default=384)
  parser.add_argument("--out", type=Path, help="a JSON file of the same")
  options = parser.parse_args()
  setting = Eval(folder=options.folder, crop=options.crop, images=10_000)
  photos = held_out.load(setting).photos
  jpeg = np.mean([jpeg_points(photo) for photo in photos], 0).T
  curves = {str(run): last_curve(run / "eval.csv") for run in options.runs}
  if options.codec:
    curves[options.codec] = codec_curve(options.codec, photos)
  first, table = next(iter(curves.values())), {}
  for name, curve in curves.items():
    rates = [metrics.bd_rate(*anchor, *curve) for anchor in (first, jpeg)]
    points = "  ".join(f"{b:.4f} {p:.2f}" for b, p in zip(*curve, strict=True))
    print(f"{name:20s} {rates[0]:+6.2f} %  JPEG {rates[1]:+6.2f} %  {points}")
    keys = ("bpp", "psnr_db", "bd_rate_first", "bd_rate_jpeg")
    table[name] = dict(zip(keys, [*curve, *rates], strict=True))
  if options.out:
    options.out.write_text(json.dumps(table, indent=1) + "\n")


def jpeg_points(photo):
  """Rate and PSNR of a photograph at each quality."""
  points = []
  for quality in JPEG_QUALITIES:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality, optimize=True)
    shown = np.asarray(Image.open(file).convert("RGB"))
    error = np.mean((shown.astype(float) - photo) ** 2)
    bpp = 8 * file.tell() / (photo.shape[0] * photo.shape[1])
    points.append((bpp, 10 * np.log10(255**2 / error)))
  return points


def last_curve(path):
  """Rates and PSNRs of the last evaluation in a run's eval.csv."""
  with open(path) as file:
    rows = list(csv.DictReader(file))
  rows = [row for row in rows if row["step"] == rows[-1]["step"]]
  return [[float(row[key]) for row in rows] for key in ("bpp", "psnr_db")]


def codec_curve(name, photos):
  """The same of a finished codec."""
  trained = zoo.load(name)
  model = models.make(trained.architecture, **trained.options)
  loss = Loss()
  result = held_out.evaluate(model, trained.codec, trained.params, photos, loss)
  points = held_out.points(model, loss, result.sums, len(photos))
  return [[point[key] for point in points] for key in ("bpp", "psnr_db")]


if __name__ == "__main__":
  main()
