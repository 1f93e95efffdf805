"""Models of a few channels, of random weights that tell errors apart.

Convolutions have about unit gain, then the last layer of each network is scaled
so that latents, scales and pixels have the size of a trained model's.
"""

from tests.compressai.peer import (
  Elic2022Official,
  entropy_models,
  layers,
  models,
  nn,
  torch,
)
from tests.compressai.peer_walks import analyze_hyper, elic_groups, hyper_of

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


def fill_masked(model):
  """Gives masked weights values, which every forward pass sets to zero."""
  for module in model.modules():
    if isinstance(module, layers.MaskedConv2d):
      random = torch.randn_like(module.weight)
      module.weight.data += (1 - module.mask) * random


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


def rescale(module, output, std, offset=0.0):
  """Scales the layer that makes `output`, and shifts it."""
  factor = std / output.std()
  module.weight.data *= factor
  module.bias.data *= factor
  module.bias.data += offset - factor * output.mean()


def last_convolution(network):
  """The last layer that is a convolution, which attention may follow."""
  kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Sequential
  last = [layer for layer in network if isinstance(layer, kinds)][-1]
  return last[0] if isinstance(last, nn.Sequential) else last
