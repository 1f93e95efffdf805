"""Context models beside each other: one small width, one schedule, one lambda.

Command, once per NAME of MODELS: python train.py --workdir=RUN \
           --config=configs/context_comparison.py:NAME \
           --config.data.folder=PHOTOS --config.eval.folder=KODAK
"""

from configs import default

MODELS = (
  "mbt2018-mean",
  "mbt2018-checkerboard",
  "ms2020",
  "mbt2018",
)


def get_config(name: str = "mbt2018-mean") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.model = default.published(name)
  config.model.options.update(width=32, latent=48)
  if name == "ms2020":
    config.model.options.update(slices=4, surrogate="noise")
  config.data.update(batch=8, crop=128)
  config.optimizer.update(learning_rate=1e-3, steps=4_000, warmup_steps=200)
  config.optimizer.schedule = "cosine"
  config.eval.update(every=4_000, crop=0)
  config.update(log_every=100, checkpoint_every=1_000)
  return config
