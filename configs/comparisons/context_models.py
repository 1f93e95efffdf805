"""Context models beside each other: one small width, one schedule, one lambda.

Command, once per NAME of MODELS: python train.py --workdir=RUN \
           --config=configs/comparisons/context_models.py:NAME \
           --config.data.folder=PHOTOS --config.eval.folder=KODAK
Took 7 minutes each on one core of an AMD EPYC, ms2020 25. Kodak, rounded
  latents: see docs/models.md.
"""

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes
from jaxlic.training.config import Config, Eval

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
  """Returns every field that differs from the defaults."""
  if name not in MODELS:
    raise JaxlicError(
      f"the models compared are {', '.join(MODELS)}, got {name!r}; choose one"
    )
  options = {"width": 32, "latent": 48, "surrogate": "mixed"} | MODELS[name]
  config = Config(
    eval=Eval(every=3_000), model=recipes.published(name, **options)
  )
  return default.flags(recipes.short(config, steps=3_000))
