"""Measures CompressAI's own training step, and prints one JSON object.

    python benchmarks/compressai_train.py bmshj2018-hyperprior

in the environment that `compressai_peer.py` describes. The step is that of
CompressAI's `examples/train.py`: the rate-distortion loss, Adam at 1e-4 behind
a clip of the gradients' norm at 1, and the quantiles' loss with an Adam of its
own at 1e-3.
"""

import argparse
import importlib.metadata
import json

import compressai_peer
import numpy as np

LAMBDA = 0.013
LEARNING_RATE, AUXILIARY_RATE, CLIP_NORM = 1e-4, 1e-3, 1.0


def random_images(batch, crop):
  """Returns noise, for a step's time does not depend on its images."""
  shape = (batch, crop, crop, 3)
  random = np.random.default_rng(compressai_peer.SEED)
  return random.integers(0, 256, shape, dtype=np.uint8)


def make_step(compressai, name, device):
  """Returns the step: from uint8 images [b 3 H W] to the loss."""
  import torch
  from compressai.losses import RateDistortionLoss
  from compressai.optimizers import net_aux_optimizer

  model, _ = compressai_peer.build(compressai, name)
  model.train().to(device)
  optimizers = net_aux_optimizer(
    model,
    {
      "net": {"type": "Adam", "lr": LEARNING_RATE},
      "aux": {"type": "Adam", "lr": AUXILIARY_RATE},
    },
  )
  criterion = RateDistortionLoss(lmbda=LAMBDA)

  def step(images):
    images = images.float() / 255
    for optimizer in optimizers.values():
      optimizer.zero_grad()
    loss = criterion(model(images), images)["loss"]
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizers["net"].step()
    auxiliary = model.aux_loss()
    auxiliary.backward()
    optimizers["aux"].step()
    return loss.item()

  return step


def summary(timed, images, packages):
  """Returns the figures of a measured step, as JSON holds them."""
  return {
    "versions": {name: importlib.metadata.version(name) for name in packages},
    "first_seconds": timed.first_seconds,
    "seconds": timed.seconds,
    "steps_per_second": 1 / timed.seconds,
    "images_per_second": len(images) / timed.seconds,
    "peak_rss_mib": compressai_peer.peak_rss_mib(),
    "loss": timed.value,
  }


def add_arguments(parser):
  """Adds the options that both codecs' scripts share."""
  parser.add_argument("--batch", type=int, default=8)
  parser.add_argument("--crop", type=int, default=256, help="a multiple of 64")
  parser.add_argument("--repeats", type=int, default=4, help="after a warm-up")
  parser.add_argument("--platform", choices=("cpu", "cuda"), default="cpu")


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("model", choices=compressai_peer.MODELS)
  parser.add_argument("--threads", type=int, default=2, help="torch's threads")
  add_arguments(parser)
  args = parser.parse_args()
  compressai, _ = compressai_peer.import_compressai(args.threads)
  import torch

  images = torch.from_numpy(random_images(args.batch, args.crop))
  images = images.permute(0, 3, 1, 2).contiguous().to(args.platform)
  step = make_step(compressai, args.model, args.platform)
  timed = compressai_peer.measure(step, images, repeats=args.repeats)
  print(json.dumps(summary(timed, images, ("torch", "compressai", "numpy"))))


if __name__ == "__main__":
  main()
