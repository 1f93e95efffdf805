"""The embedded codec."""

import ml_collections

from jaxlic.models import lapped


def get_config() -> ml_collections.ConfigDict:
  """Every default, each read once."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.log_every = 200
  config.save_every = 500

  config.model = ml_collections.ConfigDict()
  config.model.name = "lapped"
  config.model.options = ml_collections.ConfigDict({"width": 96})

  config.data = ml_collections.ConfigDict()
  config.data.folder = "photos"
  config.data.batch = 8
  config.data.crop = 128

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rate = 8e-4
  config.optimizer.warmup_steps = 200
  config.optimizer.steps = 21_000
  config.optimizer.clip_norm = 1.0
  config.optimizer.slow = (
    "forward",
    "inverse",
    "log_gain",
    "log_inverse_gain",
    "log_deviation",
  )
  config.optimizer.slow_factor = 0.2

  config.loss = ml_collections.ConfigDict()
  config.loss.lambdas = lapped.LAMBDAS
  config.loss.continuous = 0.25
  config.loss.average_decay = 0.999
  config.loss.spike_norm = 20.0
  return config
