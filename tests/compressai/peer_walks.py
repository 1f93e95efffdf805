"""What CompressAI's models compute of an image, step by step."""

import numpy as np

from tests.compressai.peer import (
  Elic2022Official,
  entropy_models,
  models,
  torch,
)


def nchw(array):
  """A batch of one, channels first."""
  return torch.from_numpy(array).float().permute(2, 0, 1)[None]


def hwc(tensor):
  """Inverse of `nchw`."""
  return tensor[0].permute(1, 2, 0).contiguous().numpy()


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


def record(model, image):
  """Returns everything that the model computes of an image, by name."""
  y = model.g_a(image)
  hyper = hyper_of(model)
  if hyper is None:
    y_hat, likelihood = model.entropy_bottleneck(y)
    tensors = {"y": y, "y_hat": y_hat, "y_likelihood": likelihood}
  else:
    z = analyze_hyper(model, hyper, y)
    z_hat, z_likelihood = hyper.entropy_bottleneck(z)
    params = hyper.h_s(z_hat)
    y_hat, context, scales, means = predict(model, y, params)
    conditional = entropy_models.GaussianConditional(None)
    likelihood = conditional._likelihood(y_hat, scales, means)
    tensors = {
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
  tensors["x_hat"] = model.g_s(y_hat)[:, :, ::3, 1::3]
  return {k: hwc(v) for k, v in tensors.items() if v is not None}


def decode(model, image):
  """Returns what the model's own file of the image decodes to, in 8 bits."""
  model.update()
  coded = model.compress(image)
  decoded = model.decompress(coded["strings"], coded["shape"])["x_hat"]
  return np.rint(255 * hwc(decoded[:, :, ::3, 1::3])).astype(np.uint8)
