"""Measures CompressAI, the PyTorch peer, and prints one JSON object.

Start-up, speed, memory and bytes of two hyperprior models (N=128, M=192), or of
those that `--models` names, with random weights, `update()` called, on PNG
files:

    python benchmarks/compressai_peer.py kodim01.png kodim02.png

The work in the transforms does not depend on the weights. The symbols do: those
of random weights are all zero, so that the bytes mean nothing and the entropy
coder has an easy time. Time it alone, here on the first 1000000 symbols of a
file:

    python benchmarks/compressai_peer.py --coder 1000000 symbols.npz

The file holds the int32 arrays `symbols` and `indexes`, where `indexes` picks a
row of CompressAI's own Gaussian tables, and optionally the parameters of their
scales, `min`, `max` and `levels` (default 0.11, 256, 64).

CompressAI needs an environment of its own, on Linux with Python 3.11. A plain
`pip install compressai` ends with another torch, which its torchvision pins:

    python -m venv compressai-venv && . compressai-venv/bin/activate
    pip install torch==2.13.0+cpu  # from PyTorch's index of CPU wheels
    pip install --no-deps compressai==1.2.8 torchvision==0.28.0
    pip install requests pandas matplotlib torch-geometric einops
    pip install pytorch-msssim pybind11 tqdm tomli wheel scipy pillow 'numpy<2'
"""

import argparse
import functools
import importlib.util
import json
import multiprocessing
import pathlib
import re
import resource
import statistics
import time
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

# torch and CompressAI are imported inside functions: start-up is measured.

NARROW = {"N": 128, "M": 192}
# Classes and their arguments.
MODELS = {
  "bmshj2018-hyperprior": ("ScaleHyperprior", NARROW),
  "mbt2018-mean": ("MeanScaleHyperprior", NARROW),
}
CONTEXT_MODELS = {
  "mbt2018": ("JointAutoregressiveHierarchicalPriors", {"N": 192, "M": 192}),
  "cheng2020-anchor": ("Cheng2020Anchor", {"N": 128}),
  "cheng2020-anchor-checkerboard": ("Cheng2020AnchorCheckerboard", {"N": 128}),
  "elic2022": ("Elic2022Official", {}),
}
STRIDE = 64
SEED = 0


def define_torchvision_ops():
  """Declares torchvision's compiled operators where they cannot be loaded.

  The torchvision of `pip` is compiled for CUDA. Beside a CPU build of torch its
  library fails to load, and then `import torchvision` dies with "operator
  torchvision::nms does not exist", for it annotates operators that nobody has
  declared. CompressAI imports torchvision and calls none of these operators, so
  that names with a made-up signature will do.
  """
  import torch

  spec = importlib.util.find_spec("torchvision")
  folder = pathlib.Path(spec.submodule_search_locations[0])
  try:
    torch.ops.load_library(folder / "_C.so")
  except OSError:
    source = (folder / "_meta_registrations.py").read_text()
    names = re.findall(r'(?:register_meta\("|"torchvision::)(\w+)"', source)
    for name in names:
      torch.library.define(f"torchvision::{name}", "(Tensor a) -> Tensor")


def import_compressai(threads):
  """Imports torch and CompressAI.

  Args:
    threads: How many threads torch may use.

  Returns:
    The module `compressai`, and the seconds that the imports took.
  """
  start = time.perf_counter()
  import torch

  torch.set_num_threads(threads)
  define_torchvision_ops()
  import compressai

  return compressai, time.perf_counter() - start


def build(compressai, name):
  """Returns a model that is ready to code, and the seconds it took to make."""
  import torch

  start = time.perf_counter()
  torch.manual_seed(SEED)
  class_name, options = (MODELS | CONTEXT_MODELS)[name]
  model = getattr(compressai.models, class_name)(**options).eval()
  model.update()
  return model, time.perf_counter() - start


def compress(model, image):
  """Returns the strings of an `H W 3` uint8 array, z's shape, and the size.

  The image is padded with zeros on the right and below, to whole strides.
  """
  import torch

  height, width, _ = image.shape
  x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
  x = torch.nn.functional.pad(x, (0, -width % STRIDE, 0, -height % STRIDE))
  with torch.inference_mode():
    coded = model.compress(x)
  strings = [batch[0] for batch in coded["strings"]]
  return strings, coded["shape"], (height, width)


def decompress(model, coded):
  """Inverse of `compress`, up to the model's loss."""
  import torch

  strings, shape, (height, width) = coded
  with torch.inference_mode():
    x_hat = model.decompress([[string] for string in strings], shape)["x_hat"]
    x_hat = x_hat[0, :, :height, :width].clamp(0, 1).mul(255).round()
    return x_hat.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


class Timed(NamedTuple):
  """A call's value, and how long it took."""

  value: Any
  first_seconds: float  # the first call
  seconds: float  # the median of the calls after it


def measure(function, *args, repeats):
  """Returns the value and the times of one call and `repeats` more."""
  seconds = []
  for _ in range(1 + repeats):
    start = time.perf_counter()
    value = function(*args)
    seconds.append(time.perf_counter() - start)
  return Timed(value, seconds[0], statistics.median(seconds[1:]))


def measure_image(compress, decompress, size, path, repeats):
  """Returns the figures of one codec on one image, reading the file aside.

  Args:
    compress: From an `H W 3` uint8 array to what `decompress` takes.
    decompress: Its inverse, up to the codec's loss.
    size: From what `compress` returns to its bytes, without a container.
    path: The image.
    repeats: Timed calls of each, after the first.

  Raises:
    ValueError: If the decompressed image has another shape or type.
  """
  with Image.open(path) as file:
    image = np.array(file.convert("RGB"))
  coded = measure(compress, image, repeats=repeats)
  decoded = measure(decompress, coded.value, repeats=repeats)
  shown = decoded.value.shape, decoded.value.dtype
  if shown != (image.shape, image.dtype):
    raise ValueError(f"{path}: {image.shape} uint8 came back as {shown}")
  return {
    "path": path,
    "height": image.shape[0],
    "width": image.shape[1],
    "bytes": size(coded.value),
    "first_compress_seconds": coded.first_seconds,
    "first_decompress_seconds": decoded.first_seconds,
    "compress_seconds": coded.seconds,
    "decompress_seconds": decoded.seconds,
  }


def measure_model(name, paths, threads, repeats):
  """Returns the figures of one model; to be called in a fresh process.

  Start-up leaves out the interpreter, and the imports of NumPy and Pillow.
  """
  compressai, import_seconds = import_compressai(threads)
  model, build_seconds = build(compressai, name)
  functions = (
    functools.partial(compress, model),
    functools.partial(decompress, model),
    lambda coded: sum(map(len, coded[0])),
  )
  images = [measure_image(*functions, path, repeats) for path in paths]
  return {
    "startup_seconds": import_seconds + build_seconds,
    "import_seconds": import_seconds,
    "build_seconds": build_seconds,
    "images": images,
    "peak_rss_mib": peak_rss_mib(),
    "compressai": compressai.__version__,
  }


def measure_models(names, paths, threads, repeats):
  """Returns the figures of the models, by name.

  Each model has a process of its own, so that its start-up is cold and its peak
  of memory is not another's.
  """
  calls = [(name, paths, threads, repeats) for name in names]
  context = multiprocessing.get_context("spawn")
  with context.Pool(1, maxtasksperchild=1) as pool:
    figures = pool.starmap(measure_model, calls, chunksize=1)
  return dict(zip(names, figures, strict=True))


def peak_rss_mib():
  """Returns this process's peak of resident memory; Linux counts in KiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load_symbols(path, count):
  """Reads the first `count` symbols.

  Returns:
    Symbols, their indexes, and the arguments of `get_scale_table`.

  Raises:
    ValueError: If the file holds fewer symbols or indexes.
  """
  with np.load(path) as file:
    symbols = file["symbols"].ravel()
    indexes = file["indexes"].ravel()
    scales = {
      key: file[key].item() for key in ("min", "max", "levels") if key in file
    }
  if min(symbols.size, indexes.size) < count:
    raise ValueError(
      f"{path} holds {symbols.size} symbols and {indexes.size} indexes; "
      f"--coder {count} needs as many of each"
    )
  return symbols[:count], indexes[:count], scales


def gaussian_tables(compressai, scales):
  """Returns CompressAI's tables, lengths and offsets, as lists of integers."""
  gaussian = compressai.entropy_models.GaussianConditional(None)
  gaussian.update_scale_table(compressai.models.get_scale_table(**scales))
  return (
    gaussian.quantized_cdf.tolist(),
    gaussian.cdf_length.tolist(),
    gaussian.offset.tolist(),
  )


def list_coder(compressai, tables):
  """Returns functions that encode and decode lists of integers."""
  encoder = compressai.ans.RansEncoder()
  decoder = compressai.ans.RansDecoder()

  def encode(symbols, indexes):
    return encoder.encode_with_indexes(symbols, indexes, *tables)

  def decode(data, indexes):
    return decoder.decode_with_indexes(data, indexes, *tables)

  return encode, decode


def array_coder(compressai, tables):
  """Returns functions that encode and decode NumPy arrays, through lists.

  The tables stay lists, although CompressAI converts them in every call.
  """
  encode_lists, decode_lists = list_coder(compressai, tables)

  def encode(symbols, indexes):
    return encode_lists(symbols.tolist(), indexes.tolist())

  def decode(data, indexes):
    return np.array(decode_lists(data, indexes.tolist()), np.int32)

  return encode, decode


def measure_pair(encode, decode, symbols, indexes, repeats):
  """Returns the figures of one pair of `encode` and `decode`.

  Raises:
    ValueError: If the symbols do not come back.
  """
  encoded = measure(encode, symbols, indexes, repeats=repeats)
  decoded = measure(decode, encoded.value, indexes, repeats=repeats)
  if not np.array_equal(decoded.value, symbols):
    raise ValueError("the decoded symbols differ from the encoded ones")
  count = len(symbols)
  return {
    "encode_msymbols_per_second": count / encoded.seconds / 1e6,
    "decode_msymbols_per_second": count / decoded.seconds / 1e6,
    "bits_per_symbol": 8 * len(encoded.value) / count,
  }


def measure_coder(path, count, threads, repeats):
  """Returns the figures of the entropy coder alone, which runs in one thread.

  It takes and returns lists. "With lists" times it on ready ones; "with arrays"
  includes the conversion from and to NumPy.

  Raises:
    ValueError: If an index has no table.
  """
  compressai, _ = import_compressai(threads)
  symbols, indexes, scales = load_symbols(path, count)
  tables = gaussian_tables(compressai, scales)
  levels = len(tables[0])
  # The coder itself would read past its tables.
  if indexes.min() < 0 or indexes.max() >= levels:
    raise ValueError(
      f"indexes {indexes.min()}..{indexes.max()} of {path} leave the "
      f"{levels} tables 0..{levels - 1}; store the file's own `levels`"
    )
  lists = symbols.tolist(), indexes.tolist()
  arrays = symbols, indexes
  return {
    "symbols": count,
    "with_arrays": measure_pair(
      *array_coder(compressai, tables), *arrays, repeats
    ),
    "with_lists": measure_pair(
      *list_coder(compressai, tables), *lists, repeats
    ),
    "peak_rss_mib": peak_rss_mib(),
    "compressai": compressai.__version__,
  }


def parse_args():
  """Returns the command line's arguments."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("paths", nargs="+", help="PNG files; or one .npz file")
  parser.add_argument("--coder", type=int, metavar="N", help="N symbols alone")
  known = list(MODELS | CONTEXT_MODELS)
  parser.add_argument(
    "--models", nargs="+", choices=known, default=list(MODELS)
  )
  parser.add_argument("--threads", type=int, default=2, help="torch's threads")
  parser.add_argument("--repeats", type=int, default=5, help="after a warm-up")
  args = parser.parse_args()
  if args.coder is not None and (args.coder < 1 or len(args.paths) != 1):
    parser.error("--coder takes N >= 1 and one .npz file")
  return args


def main():
  args = parse_args()
  options = {"threads": args.threads, "repeats": args.repeats}
  if args.coder is None:
    figures = {"models": measure_models(args.models, args.paths, **options)}
  else:
    figures = {"coder": measure_coder(args.paths[0], args.coder, **options)}
  print(json.dumps(options | figures, indent=2))


if __name__ == "__main__":
  main()
