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
  photos = stream.load_photos(config.data.folder, smallest=config.data.crop)
  model = models.make(config.model.name, **config.model.options)
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
    training.make_step(built, chain, config.loss), donate_argnums=0
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
      sums, since, began = None, 0, time.perf_counter()
    if (i + 1) % config.save_every == 0:
      manager.save(state)
  manager.save(state)
  manager.close()


def progress_line(step: int, means: dict[str, float], speed: float) -> str:
  """One line of the run's log."""
  return (
    f"step {step}  loss {means['loss']:.4f}  bpp {means['bpp']:.4f}  "
    f"psnr {means['psnr_db']:.2f} dB  grad {means['gradient_norm']:.2f}  "
    f"skipped {means['skipped']:.2%}  {speed:.2f} steps/s"
  )


if __name__ == "__main__":
  try:
    app.run(main)
  except JaxlicError as error:
    print(f"train.py: {error}", file=sys.stderr)
    sys.exit(2)
