"""One gained model against models of one rate each: same backbone and steps.

Command, once per NAME: python train.py --workdir=RUN \
           --config=configs/comparisons/gained.py:NAME \
           --config.data.folder=PHOTOS
  NAME is gained, 9,000 steps over three levels, or single0, single1, single2,
  3,000 steps at one of them each (or --config.optimizer.steps=9000).
Took 7 minutes for 3,000 steps on one core of an AMD EPYC. Kodak, real files:
  see docs/variable_rate.md.
"""

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes
from jaxlic.training.config import Config, Loss, Model

LAMBDAS = (0.0035, 0.0130, 0.0483)
STEPS = 3_000  # per level
NAMES = ("gained", *(f"single{level}" for level in range(len(LAMBDAS))))


def get_config(name: str = "gained") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  if name not in NAMES:
    raise JaxlicError(
      f"the models compared are {', '.join(NAMES)}, got {name!r}; choose one"
    )
  options = {"width": 32, "latent": 48}
  if name == "gained":
    config = Config(model=Model(name, options | {"lambdas": LAMBDAS}))
    return default.flags(recipes.short(config, STEPS * len(LAMBDAS)))
  loss = Loss(lambdas=(LAMBDAS[NAMES.index(name) - 1],))
  config = Config(loss=loss, model=Model("mbt2018-mean", options))
  return default.flags(recipes.short(config, STEPS))
