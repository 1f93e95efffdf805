"""A batch of photographs in one program, beside one by one.

    python benchmarks/batched.py PHOTOS [--model NAME] [--count 16] [--side 256]
      [--repeats 5] [--out FILE]

Centre crops of the first photographs, at qualities from 0 to the best. Encoding
a batch is `quantize` of all and `push` of their integers; decoding is `pop` and
`reconstruct`. Compiled before; the best of the repeats counts, of which each
measures all ways in turn.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxlic import zoo
from jaxlic.data import images


def main():
  """Prints seconds and ratios, and writes them as JSON if asked."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("folder", help="photographs")
  parser.add_argument("--model", default="lapped-1")
  parser.add_argument("--count", type=int, default=16)
  parser.add_argument("--side", type=int, default=256)
  parser.add_argument("--repeats", type=int, default=5)
  parser.add_argument("--out", help="FILE.json")
  options = parser.parse_args()
  ways = _ways(zoo.load(options.model), *_batch(options))
  seconds = {name: float("inf") for name in ways}
  for repeat in range(options.repeats + 1):
    for name, way in ways.items():
      start = time.perf_counter()
      jax.block_until_ready(way())
      if repeat:  # the first compiles
        seconds[name] = min(seconds[name], time.perf_counter() - start)
  for name, taken in seconds.items():
    print(f"{name:24}  {taken:7.3f} s")
  result = {
    "device": jax.devices()[0].device_kind,
    "count": options.count,
    "side": options.side,
    "model": options.model,
    "seconds": seconds,
    "encode_ratio": seconds["encode: batch"] / seconds["encode: one by one"],
    "decode_ratio": seconds["decode: batch"] / seconds["decode: one by one"],
  }
  print(f"encode {result['encode_ratio']:.2f}x, ", end="")
  print(f"decode {result['decode_ratio']:.2f}x of one by one")
  if options.out:
    Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


def _batch(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
  """The crops [b H W 3], and a share of the best quality for each."""
  paths = images.list_photos(options.folder)[: options.count]
  crops = []
  for path in paths:
    pixels = images.read(path).pixels
    top, left = ((n - options.side) // 2 for n in pixels.shape[:2])
    crops.append(
      pixels[top : top + options.side, left : left + options.side]
      / np.float32(255)
    )
  return np.stack(crops), np.linspace(0, 1, len(crops)).astype(np.float32)


def _ways(
  model: zoo.Trained, batch: np.ndarray, shares: np.ndarray
) -> dict[str, Callable]:
  """What is timed, by name."""
  codec, params, tables = model.codec, model.params, model.tables
  quality, size = shares * model.spec.max_quality, batch.shape[1:3]

  def quantize():
    return codec.quantize(params, batch, quality)

  def encode_batch():
    return codec.push(tables, quantize(), quality, size)

  def encode_each():
    return [
      codec.encode(params, tables, image, float(q))
      for image, q in zip(batch, quality, strict=True)
    ]

  files = encode_each()
  symbols = codec.pop(params, tables, files)
  same = sum(a == b for a, b in zip(encode_batch(), files, strict=True))
  print(f"{same} of {len(files)} payloads are the same bytes")
  return {
    "encode: one by one": encode_each,
    "encode: batch": encode_batch,
    "of it quantize": quantize,
    "decode: one by one": lambda: [
      codec.decode(params, tables, file) for file in files
    ],
    "decode: batch": lambda: codec.reconstruct(
      params, codec.pop(params, tables, files), quality, size
    ),
    "of it reconstruct": lambda: codec.reconstruct(
      params, symbols, quality, size
    ),
  }


if __name__ == "__main__":
  main()
