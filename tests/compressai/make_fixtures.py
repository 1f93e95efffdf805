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

from benchmarks.compressai_peer import import_compressai

compressai, _ = import_compressai(threads=1)

import torch  # noqa: E402
from compressai import entropy_models, layers, models  # noqa: E402
from compressai.models.sensetime import Elic2022Official  # noqa: E402
from torch import nn  # noqa: E402

FOLDER = pathlib.Path(__file__).parent / "fixtures"
HEIGHT, WIDTH = 64, 128
N, M = 6, 8  # channels inside the transforms, and of y
FEW = 4  # channels inside the transforms of large models
MOST_WEIGHTS, KEPT_WEIGHTS = 10_000, 1_500

MODELS = {
  "bmshj2018-factorized": lambda: models.FactorizedPrior(N, M),
  "bmshj2018-factorized-relu": lambda: models.FactorizedPriorReLU(N, M),
  "bmshj2018-hyperprior": lambda: models.ScaleHyperprior(N, M),
  "mbt2018-mean": lambda: models.MeanScaleHyperprior(N, M),
  "mbt2018": lambda: models.JointAutoregressiveHierarchicalPriors(N, M),
  "cheng2020-anchor": lambda: models.Cheng2020Anchor(FEW),
  "cheng2020-attn": lambda: models.Cheng2020Attention(FEW),
  "elic2022": lambda: Elic2022Official(FEW, M, groups=[2, 2, 4]),
}


def randomize(model):
  """Gives every parameter random values that are far from the initial ones."""
  for module in model.modules():
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
      randomize_convolution(module)
    elif isinstance(module, layers.GDN):
      randomize_gdn(module)
    elif isinstance(module, entropy_models.EntropyBottleneck):
      randomize_bottleneck(module)


def randomize_convolution(module):
  """Unit gain, which a leaky ReLU halves; biases of a tenth."""
  weight = module.weight.data
  kept = torch.ones_like(weight)
  if weight.numel() > MOST_WEIGHTS:
    kept = (torch.rand_like(weight) < KEPT_WEIGHTS / weight.numel()).float()
  # A transposed convolution of stride 2 meets a quarter of its taps.
  fan_in = kept.sum() / module.out_channels / module.stride[0] ** 2
  if isinstance(module, nn.Conv2d):
    fan_in = kept.sum() / module.out_channels
  random = torch.randn_like(weight) * (1.5 / fan_in) ** 0.5
  weight.copy_(torch.where(kept > 0, random, 0.0))
  module.bias.data.normal_(0, 0.1)


def randomize_gdn(module):
  """Positive numbers, and one below each parameter's bound."""
  c = len(module.beta)
  beta = 0.5 + torch.rand(c)
  gamma = 0.1 * torch.eye(c) + 0.05 * torch.rand(c, c)
  module.beta.data = module.beta_reparam.init(beta)
  module.gamma.data = module.gamma_reparam.init(gamma)
  module.beta.data[0] = 1e-4
  module.gamma.data[0, 1] = -0.01


def randomize_bottleneck(module):
  """A density per channel, and quantiles that only come near its own.

  Of many channels, those whose probabilities are furthest from where their
  integers change: sums in another order differ by 1e-7.
  """
  many = entropy_models.EntropyBottleneck(50 * module.channels)
  for matrix in many.matrices:
    matrix.data += 0.5 + 0.3 * torch.randn_like(matrix)
  for bias in many.biases:
    bias.data = 0.7 * torch.randn_like(bias)
  for factor in many.factors:
    factor.data = 0.5 * torch.randn_like(factor)
  many.update(force=True, update_quantiles=True)
  many.quantiles.data += torch.rand_like(many.quantiles) - 0.5
  many.update(force=True)
  chosen = clearances(many).argsort(descending=True)[: module.channels]
  pairs = zip(module.parameters(), many.parameters(), strict=True)
  for parameter, values in pairs:
    parameter.data = values.data[chosen]
  module.update(force=True)


def clearances(module):
  """How close each channel's probabilities, times 2^16, come to a half."""
  low, median, _ = module.quantiles[:, 0].T
  sizes = module.cdf_length[:, None] - 2
  start = median - torch.ceil(median - low)
  steps = torch.arange(int(sizes.max()))
  likelihood, _, _ = module._likelihood((start[:, None] + steps)[:, None])
  counts = likelihood[:, 0] * 2**16
  distance = (counts - counts.floor() - 0.5).abs()
  return torch.where(steps < sizes, distance, 1.0).min(1).values


def rescale(module, output, std, offset=0.0):
  """Scales the layer that makes `output`, and shifts it."""
  factor = std / output.std()
  module.weight.data *= factor
  module.bias.data *= factor
  module.bias.data += offset - factor * output.mean()


def fill_masked(model):
  """Gives masked weights values, which every forward pass sets to zero."""
  for module in model.modules():
    if isinstance(module, layers.MaskedConv2d):
      random = torch.randn_like(module.weight)
      module.weight.data += (1 - module.mask) * random


def nchw(array):
  """A batch of one, channels first."""
  return torch.from_numpy(array).float().permute(2, 0, 1)[None]


def hwc(tensor):
  """Inverse of `nchw`."""
  return tensor[0].permute(1, 2, 0).contiguous().numpy()


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


def last_convolution(network):
  """The last layer that is a convolution, which attention may follow."""
  kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Sequential
  found = [layer for layer in network if isinstance(layer, kinds)][-1]
  return found[0] if isinstance(found, nn.Sequential) else found


def calibrate(model, image):
  """Rescales the last layer of each network, first to last."""
  y = model.g_a(image)
  rescale(last_convolution(model.g_a), y, 3.0)
  y = model.g_a(image)
  hyper = hyper_of(model)
  if hyper is not None:
    z = analyze_hyper(model, hyper, y)
    rescale(last_convolution(hyper.h_a), z, 3.0)
    z_hat, _ = hyper.entropy_bottleneck(analyze_hyper(model, hyper, y))
    params = hyper.h_s(z_hat)
    rescale(last_convolution(hyper.h_s), params, 1.0, 1.5)
    params = hyper.h_s(z_hat)
    calibrate_context(model, y.round(), params)
  rescale(last_convolution(model.g_s), model.g_s(y.round()), 0.3, 0.5)


def calibrate_context(model, y_hat, params):
  """Rescales what predicts y from y_hat and the hyper synthesis."""
  if hasattr(model, "entropy_parameters"):
    joined = torch.cat((params, model.context_prediction(y_hat)), 1)
    predicted = model.entropy_parameters(joined)
    rescale(model.entropy_parameters[-1], predicted, 1.0, 1.5)
  elif isinstance(model, Elic2022Official):
    for codec, y_group, side in elic_groups(model, y_hat, params):
      joined = torch.cat((codec.context_prediction(y_group), side), 1)
      predicted = codec.entropy_parameters(joined)
      rescale(codec.entropy_parameters[-1], predicted, 1.0, 1.5)


def hyper_of(model):
  """What has h_a, h_s and the bottleneck of z; None for factorized models."""
  if hasattr(model, "latent_codec"):
    return model.latent_codec["hyper"]
  return model if hasattr(model, "h_a") else None


def analyze_hyper(model, hyper, y):
  scale_only = type(model) is models.ScaleHyperprior
  return hyper.h_a(y.abs() if scale_only else y)


def elic_groups(model, y_hat, params):
  """Yields each group's codec, its y_hat, and what is known before it."""
  joint = model.latent_codec["y"]
  groups = torch.split(y_hat, joint.groups, 1)
  for k, y_group in enumerate(groups):
    side = params
    if k > 0:
      before = joint.channel_context[f"y{k}"](torch.cat(groups[:k], 1))
      side = torch.cat((before, params), 1)
    yield joint.latent_codec[f"y{k}"], y_group, side


def predict_elic(model, y_hat, params):
  """Context, scales and means, as a decoder has them in its two passes."""
  contexts, scales, means = [], [], []
  for codec, y_group, side in elic_groups(model, y_hat, params):
    anchors = codec._keep_only(y_group, "anchor")
    context = codec._keep_only(codec.context_prediction(anchors), "non_anchor")
    predicted = codec.entropy_parameters(torch.cat((context, side), 1))
    scale, mean = codec.latent_codec["y"]._chunk(predicted)
    contexts.append(context)
    scales.append(scale)
    means.append(mean)
  return tuple(torch.cat(parts, 1) for parts in (contexts, scales, means))


def predict(model, y, params):
  """Returns y_hat, context (or None), scales and means (or None)."""
  if type(model) is models.ScaleHyperprior:
    return y.round(), None, params, None
  if type(model) is models.MeanScaleHyperprior:
    scales, means = params.chunk(2, 1)
    return (y - means).round() + means, None, scales, means
  y_hat = y.round() + 0.25 * torch.rand_like(y)
  if isinstance(model, Elic2022Official):
    return y_hat, *predict_elic(model, y_hat, params)
  context = model.context_prediction(y_hat)
  predicted = model.entropy_parameters(torch.cat((params, context), 1))
  return y_hat, context, *predicted.chunk(2, 1)


def record(model, image):
  """Returns everything that the model computes of an image, by name."""
  y = model.g_a(image)
  hyper = hyper_of(model)
  if hyper is None:
    y_hat, likelihood = model.entropy_bottleneck(y)
    found = {"y": y, "y_hat": y_hat, "y_likelihood": likelihood}
  else:
    z = analyze_hyper(model, hyper, y)
    z_hat, z_likelihood = hyper.entropy_bottleneck(z)
    params = hyper.h_s(z_hat)
    y_hat, context, scales, means = predict(model, y, params)
    conditional = entropy_models.GaussianConditional(None)
    likelihood = conditional._likelihood(y_hat, scales, means)
    found = {
      "y": y,
      "z": z,
      "z_hat": z_hat,
      "z_likelihood": z_likelihood,
      "hyper": params,
      "y_hat": y_hat,
      "context": context,
      "scales": scales,
      "means": means,
      "y_likelihood": conditional.likelihood_lower_bound(likelihood),
    }
  found["x_hat"] = model.g_s(y_hat)[:, :, ::3, 1::3]
  return {k: hwc(v) for k, v in found.items() if v is not None}


def decode(model, image):
  """Returns what the model's own file of the image decodes to, in 8 bits."""
  model.update()
  coded = model.compress(image)
  decoded = model.decompress(coded["strings"], coded["shape"])["x_hat"]
  return np.rint(255 * hwc(decoded[:, :, ::3, 1::3])).astype(np.uint8)


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
  found = record(model, nchw(image) / 255)
  fill_masked(model)
  packed = packed_state(model)
  if "context" in found:
    found["decoded"] = decode(model, nchw(image) / 255)
  path = FOLDER / f"{name}.npz"
  np.savez_compressed(path, **packed, **found)
  print(f"{path.name}: {path.stat().st_size} bytes")
  for key, value in found.items():
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
