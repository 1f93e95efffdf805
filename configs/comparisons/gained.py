"""One gained model against models of one rate each: same backbone and steps.

Command, once per NAME: python train.py --workdir=RUN \
           --config=configs/comparisons/gained.py:NAME \
           --config.data.folder=PHOTOS
  NAME is gained, 9,000 steps over three levels, or single0, single1, single2,
  3,000 steps at one of them each (or --config.optimizer.steps=9000).
Took 7 minutes for 3,000 steps on one core of an AMD EPYC. Kodak, real files:
  see the README.
"""

from configs import default
from jaxlic.errors import JaxlicError

LAMBDAS = (0.0035, 0.0130, 0.0483)
STEPS = 3_000  # per level
NAMES = ("gained", *(f"single{level}" for level in range(len(LAMBDAS))))


def get_config(name: str = "gained") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  if name not in NAMES:
    raise JaxlicError(
      f"the models compared are {', '.join(NAMES)}, got {name!r}; choose one"
    )
  config = default.get_config()
  options = {"width": 32, "latent": 48}
  config.model = default.ConfigDict(
    {"name": "mbt2018-mean", "options": options}
  )
  steps = STEPS
  if name == "gained":
    config.model.name = name
    config.model.options.update(lambdas=LAMBDAS)
    steps *= len(LAMBDAS)
  else:
    config.loss.lambdas = (LAMBDAS[NAMES.index(name) - 1],)
  return default.short(config, steps)
