"""Context models beside each other: one small width, one schedule, one lambda.

Command, once per NAME of MODELS: python train.py --workdir=RUN \
           --config=configs/comparisons/context_models.py:NAME \
           --config.data.folder=PHOTOS --config.eval.folder=KODAK
Took 7 minutes each on one core of an AMD EPYC, ms2020 25. Kodak, rounded
  latents: see the README.
"""

from configs import default
from jaxlic.errors import JaxlicError

MODELS = {
  "mbt2018-mean": {},
  "mbt2018-checkerboard": {},
  "ms2020": {
    "slices": 4,
    "support": 4,
    "hyper_widths": (32, 48, 64),
    "slice_widths": (48, 32),
  },
  # With rounding, its context would be rounded by other means than in files.
  "mbt2018": {"surrogate": "noise"},
}


def get_config(name: str = "mbt2018-mean") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  if name not in MODELS:
    raise JaxlicError(
      f"the models compared are {', '.join(MODELS)}, got {name!r}; choose one"
    )
  config = default.get_config()
  config.model = default.published(name)
  config.model.options.update(width=32, latent=48, surrogate="mixed")
  config.model.options.update(MODELS[name])
  config.eval.every = 3_000
  return default.short(config, steps=3_000)
