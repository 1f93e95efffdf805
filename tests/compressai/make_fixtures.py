"""Writes the fixtures of these tests, with CompressAI itself.

Run it from the root of the repository, in an environment with CompressAI 1.2.8
and torch (benchmarks/compressai_peer.py says how to make one):

    python -m tests.compressai.make_fixtures

The tests need neither: they read what it leaves in `fixtures/`.

| file | holds |
|---|---|
| image.png | the input of all models, 64x128 |
| ARCHITECTURE.npz | a model of a few channels: weights, and what it computes |
| gaussian.npz | the integer tables of `GaussianConditional` |
| training.pth, training-legacy.pth | a training's checkpoint, in both formats |
| views.pth, views-legacy.pth | tensors of every type, views among them |

In ARCHITECTURE.npz, `state` lists the entries of the state dict, in JSON as
[key, type, shape], and `state_TYPE` holds the values of all entries of a type,
end to end. Tables of Gaussian conditionals are empty there, for they would be
those of gaussian.npz everywhere; those of the entropy bottleneck are not.
Everything else has its channels last:

| name | shape | what |
|---|---|---|
| y, z | [4 8 M], [1 2 N] | the latents |
| z_hat, z_likelihood | like z | rounded around medians, and its likelihood |
| hyper | [4 8 ...] | what the hyper synthesis makes of z_hat |
| y_hat | like y | y rounded; of autoregressive models a given input |
| context | [4 8 ...] | what the masked convolutions make of y_hat |
| scales, means | like y | the prediction of y |
| y_likelihood | like y | the likelihood of y_hat |
| x_hat | [22 43 3] | rows 0, 3, 6 ... and columns 1, 4, 7 ... of the image |
| decoded | like x_hat | uint8, what autoregressive models make of their files |

y_hat of autoregressive models is y rounded, plus a fraction, so that errors
around means show; with it context, scales and means are those of a decoder that
has read everything before.

Weights are random: convolutions of about unit gain, then the last layer of each
network scaled so that latents, scales and pixels have the size of a trained
model's. Kernels of more than 10,000 weights keep 1,500 of them, for the sake of
the files. Masked kernels have weights under their masks, too, which count for
nothing, as a training leaves them.
"""

import json
import math
import pathlib

import numpy as np
from PIL import Image

from tests.compressai.peer import entropy_models, models, nn, torch
from tests.compressai.peer_models import (
  MODELS,
  calibrate,
  fill_masked,
  randomize,
)
from tests.compressai.peer_walks import decode, nchw, record

FOLDER = pathlib.Path(__file__).parent / "fixtures"
HEIGHT, WIDTH = 64, 128


def make_image():
  """Waves of several sizes and noise, uint8 [H W 3]."""
  rng = np.random.default_rng(0)
  rows, columns = np.mgrid[:HEIGHT, :WIDTH]
  image = np.zeros((HEIGHT, WIDTH, 3))
  for size in (64, 32, 16, 8, 4):
    a, b = rng.normal(size=(2, 3)) * 2 * math.pi / size
    phase = rng.uniform(0, 2 * math.pi, 3)
    image += np.sin(rows[..., None] * a + columns[..., None] * b + phase)
  image += 0.3 * rng.normal(size=image.shape)
  return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


def packed_state(model):
  """Returns the arrays `state` and `state_TYPE`."""
  entries, values = [], {}
  for key, tensor in model.state_dict().items():
    array = tensor.numpy()
    entries.append((key, str(array.dtype), array.shape))
    values.setdefault(f"state_{array.dtype}", []).append(array.ravel())
  arrays = {name: np.concatenate(parts) for name, parts in values.items()}
  return arrays | {"state": np.array(json.dumps(entries))}


def make_architecture(name, image, seed):
  """Writes one model, and reports the sizes of what it computes."""
  torch.manual_seed(seed)
  model = MODELS[name]().eval()
  randomize(model)
  calibrate(model, nchw(image) / 255)
  recorded = record(model, nchw(image) / 255)
  fill_masked(model)
  packed = packed_state(model)
  if "context" in recorded:
    recorded["decoded"] = decode(model, nchw(image) / 255)
  path = FOLDER / f"{name}.npz"
  np.savez_compressed(path, **packed, **recorded)
  print(f"{path.name}: {path.stat().st_size} bytes")
  for key, value in recorded.items():
    print(
      f"  {key:13} {str(value.shape):12} mean {value.mean():8.3f}, std "
      f"{value.std():7.3f}, {value.min():9.3g} .. {value.max():.3g}"
    )


def make_gaussian():
  """Writes the 64 tables that every model's `update()` makes."""
  conditional = entropy_models.GaussianConditional(None)
  conditional.update_scale_table(models.base.get_scale_table())
  buffers = {
    name: getattr(conditional, name).numpy()
    for name in ("_quantized_cdf", "_cdf_length", "_offset", "scale_table")
  }
  np.savez_compressed(FOLDER / "gaussian.npz", **buffers)


def make_training(seed):
  """Writes what CompressAI's examples/train.py keeps, of a tiny model."""
  torch.manual_seed(seed)
  model = models.FactorizedPrior(2, 3)
  randomize(model)
  weights = [model.g_a[0].weight, model.g_a[0].bias]
  optimizer = torch.optim.Adam(weights, lr=1e-4)
  model.g_a(torch.rand(1, 3, 16, 16)).square().mean().backward()
  optimizer.step()
  schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min")
  schedule.step(1.5)
  save(
    "training",
    {
      "epoch": 7,
      "state_dict": model.state_dict(),
      "loss": torch.tensor(1.5),
      "optimizer": optimizer.state_dict(),
      "aux_optimizer": torch.optim.Adam([model.g_a[0].bias]).state_dict(),
      "lr_scheduler": schedule.state_dict(),
    },
  )


def make_views():
  """Writes the integers from 0 to 23 in every type, shape and order."""
  base = torch.arange(24)
  types = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
  )
  tensors = {str(t).removeprefix("torch."): base.to(t) for t in types}
  tensors["bool"] = base % 3 == 0
  tensors["parameter"] = nn.Parameter(base.float())
  tensors["scalar"] = torch.tensor(23.0)
  tensors["empty"] = torch.zeros(0, 3)
  grid = base.float().reshape(2, 3, 4)
  tensors["transposed"] = grid.permute(2, 0, 1)
  tensors["part"] = grid[1, 1:, ::2]
  save("views", tensors)


def save(name, content):
  torch.save(content, FOLDER / f"{name}.pth")
  torch.save(
    content,
    FOLDER / f"{name}-legacy.pth",
    _use_new_zipfile_serialization=False,
  )


def main():
  FOLDER.mkdir(exist_ok=True)
  image = make_image()
  Image.fromarray(image).save(FOLDER / "image.png")
  with torch.no_grad():
    for seed, name in enumerate(MODELS):
      make_architecture(name, image, seed)
    make_gaussian()
    make_views()
  make_training(seed=len(MODELS))


if __name__ == "__main__":
  main()
