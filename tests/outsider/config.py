"""A configuration as somebody outside of jaxlic would write it."""

import laplace_dct  # noqa: F401
import ml_collections

from configs import default


def get_config():
  """Returns the configuration."""
  config = default.get_config()
  config.model = ml_collections.ConfigDict(
    {"name": "laplace-dct", "options": {"channels": 24, "step": 0.05}}
  )
  config.update(log_every=1, checkpoint_every=4)
  config.data.update(folder="photos", batch=4, crop=16, threads=0)
  config.optimizer.update(steps=4, learning_rate=1e-4)
  return config
