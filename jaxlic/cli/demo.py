"""`jaxlic demo`: the package's photograph beside JPEG at the same size."""

from argparse import Namespace
from typing import Any

from jaxlic.cli import arguments, table


def add(subparsers: Any) -> None:
  """Adds the command to `jaxlic`'s."""
  command = subparsers.add_parser(
    "demo", help="compare a photograph with JPEG at the same size"
  )
  command.set_defaults(run=run)
  command.add_argument(
    "--out",
    default="side-by-side.png",
    metavar="FILE.png",
    help="the comparison as a picture, default side-by-side.png",
  )
  arguments.add_quality(command)
  arguments.add_model(command)
  arguments.add_force(command)


def run(options: Namespace) -> None:
  """Writes the picture, and prints the numbers."""
  from jaxlic import zoo
  from jaxlic.data import images
  from jaxlic.evaluation import beside_peers, peers

  images.check_photo_target(options.out, force=options.force)
  model = zoo.load(options.model or zoo.DEFAULT)
  photo = images.read(zoo.DEMO)
  coded, jpeg = beside_peers.beside_peers(
    photo, model=model, quality=options.quality, peers=[peers.JPEG]
  )
  panels = [(entry.caption(), entry.pixels) for entry in (coded, jpeg)]
  picture = beside_peers.side_by_side([("original", photo.pixels), *panels])
  images.write(options.out, images.Photo(picture))
  print(table.to_text([_row(coded), _row(jpeg)]))
  print("seconds without compilation")
  if jpeg.size_bytes > coded.size_bytes:
    print("no JPEG is as small: this one has its lowest quality")
  print(f"{options.out}: original, jaxlic, JPEG")


def _row(entry: Any) -> dict[str, Any]:
  return {
    "file": entry.name,
    "bytes": entry.size_bytes,
    "bpp": f"{entry.bpp:.4f}",
    "PSNR dB": f"{entry.psnr_db:.3f}",
    "encode s": f"{entry.encode_s:.3f}",
    "decode s": f"{entry.decode_s:.3f}",
  }
