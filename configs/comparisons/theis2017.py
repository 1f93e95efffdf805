"""Densities of the compressive autoencoder, and scales against retraining.

Commands: python train.py --workdir=RUN \
            --config=configs/comparisons/theis2017.py:NAME \
            --config.data.folder=PHOTOS --config.model.options.quality=Q
  once per NAME of TRAINED, and of those of DENSITIES for Q of 1, 2 and 3; then
  once per NAME of CHANGED, from the codec of `scales` at quality 2:
          python train.py --workdir=RUN \
            --config=configs/comparisons/theis2017.py:NAME \
            --config.start_from=CODEC \
            --config.data.folder=PHOTOS
  `retarget` trains the scales of all three rates, `retarget_to_the_letter` does
  with a density that stays as it is, and `refit` the density alone, with the
  exact rate. `incremental` begins with two channels, and opens the others.
Took 10 minutes each on one core of an AMD EPYC, and those of CHANGED 1 to 4.
Kodak, real files, of `scales`: 0.578 bpp 26.79 dB, 0.926 bpp 27.48 dB, 1.300
  bpp 27.75 dB; the others: see docs/compressive_autoencoders.md.
"""

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes
from jaxlic.training.config import Config, Model

SIZE = {"width": 32, "latent": 32}
SCALES = {"density": "scales", "components": 6}
DENSITIES = {
  "scales": SCALES,
  "mixture": {"density": "mixture", "components": 6},
  "factorized": {"density": "factorized"},
}
TRAINED = DENSITIES | {"incremental": SCALES | {"open_at_first": 2}}
CHANGED = {
  "retarget": {"follow": True},
  "retarget_to_the_letter": {"follow": False},
  "refit": {"rated": "exact"},
}
NAMES = (*TRAINED, *CHANGED)


def get_config(name: str = "scales") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  if name not in NAMES:
    raise JaxlicError(
      f"what is compared is {', '.join(NAMES)}, got {name!r}; choose one"
    )
  options = SIZE | (TRAINED | CHANGED)[name] | {"quality": 2}
  options |= SCALES if name in CHANGED else {}
  config = recipes.short(Config(model=Model("theis2017", options)), steps=2_000)
  optimizer = config.optimizer
  if name == "incremental":
    optimizer.open_window, optimizer.open_threshold = 20, 0.05
    optimizer.open_factor = 1.0
  if name in CHANGED:
    optimizer.learning_rate, optimizer.steps = 1e-2, 1_000
    optimizer.only = ("y_density",)
  if name == "refit":
    optimizer.steps = 400
  if name.startswith("retarget"):
    config.model.name = "theis2017-scaled"
    optimizer.only = ("log_scale",)
  return default.flags(config)
