"""The pictures of README and the documentation.

    python benchmarks/pictures.py

It writes `docs/pictures/side_by_side.jpg`: a detail of the package's photograph
as it is, and from files of equal size.
"""

from pathlib import Path

from PIL import Image

import jaxlic
from jaxlic import pretrained
from jaxlic.data import images
from jaxlic.evaluation import beside_peers, peers

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
QUALITY = 1.6  # here JPEG and AVIF have files within 2 % of the codec's
DETAIL = (331, 196, 479, 372)  # left, top, right, bottom
ZOOM = 2


def main():
  """Writes the pictures."""
  FOLDER.mkdir(exist_ok=True)
  path = FOLDER / "side_by_side.jpg"
  side_by_side().save(path, quality=94, subsampling="4:4:4", optimize=True)
  print(f"{path.name}: {path.stat().st_size:,} bytes")


def side_by_side():
  """Returns the original, JPEG, AVIF and the codec in a row."""
  photo, model = images.read(pretrained.DEMO), jaxlic.load("lapped-2")
  ours, *others = beside_peers.beside_peers(
    photo, model=model, quality=QUALITY, peers=[peers.JPEG, peers.AVIF]
  )
  panels = [(f"original\n{photo.pixels.size:,} bytes", detail(photo.pixels))]
  for entry in (*others, ours):
    name = entry.name.partition(" quality")[0]
    numbers = f"{entry.size_bytes:,} bytes, {entry.psnr_db:.1f} dB"
    panels.append((f"{name}\n{numbers}", detail(entry.pixels)))
  return Image.fromarray(beside_peers.side_by_side(panels, font_px=24))


def detail(pixels):
  """Returns the detail, each of its pixels as a square."""
  left, top, right, bottom = DETAIL
  return pixels[top:bottom, left:right].repeat(ZOOM, 0).repeat(ZOOM, 1)


if __name__ == "__main__":
  main()
