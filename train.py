"""Trains a codec: flags -> data -> loop -> checkpoint.

    python train.py --config=configs/lapped.py --workdir=DIR \
      --config.data.folder=PHOTOS [--config.field=value ...]

Started again on the same directory, it resumes after the last checkpoint.
"""

import operator
import sys
import time

import jax
from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

from jaxlic import checkpoint, codec, models, training
from jaxlic.data import stream
from jaxlic.types import JaxlicError

CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
flags.mark_flags_as_required(["config", "workdir"])


def main(_):
  """Reads top to bottom."""
  logging.set_verbosity(logging.WARNING)
  config = CONFIG.value
  model = models.make(config.model.name, **config.model.options)
  check(config, model)
  photos = stream.load_photos(config.data.folder, smallest=config.data.crop)
  built = codec.make(model)
  chain = training.optimizer(config.optimizer)
  state = training.init_state(built, chain, config.seed)
  manager = checkpoint.Manager(WORKDIR.value, config)
  state = manager.restore(state)
  start = int(state.step)

  print(f"{len(photos)} photographs, starting at step {start}", flush=True)
  crops = stream.batches(
    photos,
    batch=config.data.batch,
    crop=config.data.crop,
    seed=config.seed,
    start=start,
  )

  step = jax.jit(
    training.make_step(built, chain, config.loss, lambdas=model.spec.lambdas),
    donate_argnums=0,
  )
  sums, since, began = None, 0, time.perf_counter()
  for i in tqdm(range(start, config.optimizer.steps), disable=None):
    state, metrics = step(state, next(crops))
    sums = (
      metrics if sums is None else jax.tree.map(operator.add, sums, metrics)
    )
    since += 1
    if (i + 1) % config.log_every == 0:
      means = {name: float(value) / since for name, value in sums.items()}
      speed = since / (time.perf_counter() - began)
      tqdm.write(progress_line(i + 1, means, speed))
      if means["skipped"] == 1 and since >= 100:
        raise JaxlicError(
          f"all of the last {since} steps had gradients of "
          f"{config.loss.spike_norm} or more; raise loss.spike_norm or lower "
          "optimizer.learning_rate"
        )
      sums, since, began = None, 0, time.perf_counter()
    if (i + 1) % config.save_every == 0:
      manager.save(state)
  manager.save(state)
  manager.close()


def check(config, model) -> None:
  """Refuses what would fail only after compilation."""
  rules = [
    (
      config.data.crop > 0 and config.data.crop % model.spec.stride == 0,
      f"data.crop is a multiple of {model.spec.stride}, got {config.data.crop}",
    ),
    (config.data.batch > 0, f"data.batch is positive, got {config.data.batch}"),
    (
      config.optimizer.steps > config.optimizer.warmup_steps,
      "optimizer.steps is above optimizer.warmup_steps, got "
      f"{config.optimizer.steps} and {config.optimizer.warmup_steps}",
    ),
  ]
  for kept, rule in rules:
    if not kept:
      raise JaxlicError(f"{rule}; correct the config or the flag")


def progress_line(step: int, means: dict[str, float], speed: float) -> str:
  """One line of the run's log."""
  return (
    f"step {step}  loss {means['loss']:.4f}  bpp {means['bpp']:.4f}  "
    f"psnr {means['psnr_db']:.2f} dB  grad {means['gradient_norm']:.2f}  "
    f"skipped {means['skipped']:.2%}  {speed:.2f} steps/s"
  )


def parse_flags(words):
  """Parses the command line; an unknown field is one line, too."""
  try:
    return app.parse_flags_with_usage(words)
  except (AttributeError, KeyError) as error:
    raise JaxlicError(
      f"the config has no such field: {error.args[0]}; see its file"
    ) from error


if __name__ == "__main__":
  try:
    app.run(main, flags_parser=parse_flags)
  except JaxlicError as error:
    print(f"train.py: {error}", file=sys.stderr)
    sys.exit(2)
