"""Training: a step, its optimizer, and what a run leaves behind.

    config = Config(model=Model("mbt2018-mean", {"quality": 4}))
    options = config.model.options | {"dtype": config.dtype}
    model = models.make(config.model.name, **options)
    check(config, model, devices=jax.device_count())
    optimizer = make_optimizer(config.optimizer, model.spec)
    state = init_state(model, optimizer, config)
    step = make_step(model, codec.make(model), optimizer, config)

`feed.feed_step` maps the step over devices and gives batches, which
`devices.feed` lays out for it; `run.Run` keeps checkpoints, and `zoo.export`
makes a codec. `train.py`, in the repository, puts all of it together.
"""

from jaxlic.training.config import Config, Model, check
from jaxlic.training.loss import (
  make_loss,
  metric_names,
  rate_distortion,
  weights,
)
from jaxlic.training.optimizer import make as make_optimizer
from jaxlic.training.step import (
  AXIS,
  State,
  init_state,
  make_resident_step,
  make_step,
)
from jaxlic.training.warm_start import added, begin_with, fitting, unfitting

__all__ = [
  "AXIS",
  "Config",
  "Model",
  "State",
  "added",
  "begin_with",
  "check",
  "fitting",
  "init_state",
  "make_loss",
  "make_optimizer",
  "make_resident_step",
  "make_step",
  "metric_names",
  "rate_distortion",
  "unfitting",
  "weights",
]
