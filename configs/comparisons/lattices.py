"""Lattices and companding beside rounding: one backbone, one schedule.

Commands: python train.py --workdir=BASE \
            --config=configs/comparisons/lattices.py:base \
            --config.data.folder=PHOTOS --config.seed=S
          jaxlic export BASE CODEC
          python train.py --workdir=RUN \
            --config=configs/comparisons/lattices.py:NAME \
            --config.start_from=CODEC \
            --config.data.folder=PHOTOS --config.seed=S
  once per seed S and NAME of VARIANTS. All go on from the weights of the same
  12,000 steps of rounding with noise, at three lambdas with gain units.
Took 40 minutes and 8 each on one core of an AMD EPYC. Kodak, real files, of
  `scalar`: 0.252 bpp 27.48 dB, 0.404 bpp 28.38 dB, 0.521 bpp 28.62 dB; the
  others: see docs/lattices.md.
"""

from configs import default
from jaxlic.errors import JaxlicError
from jaxlic.training import recipes
from jaxlic.training.config import Config, Model

LAMBDAS = (0.0032, 0.0150, 0.0450)
VARIANTS = {
  "scalar": {"lattice": "Zn", "companding": "none"},
  "lattice": {"lattice": "Dn*", "companding": "none"},
  "companding": {"lattice": "Zn", "companding": "hyper"},
  "both": {"lattice": "Dn*", "companding": "hyper"},
  "e8": {"lattice": "E8", "companding": "none", "coset": "modelled"},
  "softmax": {"lattice": "Dn*", "companding": "none", "surrogate": "softmax"},
}
VARIANTS["annealed"] = VARIANTS["softmax"]  # to the recipe's temperature
NAMES = ("base", *VARIANTS)


def get_config(name: str = "base") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  if name not in NAMES:
    raise JaxlicError(
      f"what is compared is {', '.join(NAMES)}, got {name!r}; choose one"
    )
  options = {"lambdas": LAMBDAS, "width": 32, "latent": 48}
  options |= {"backbone": "mbt2018-checkerboard", "surrogate": "noise"}
  if name != "base":
    options |= {"backbone": "lvqac-minnen2018", "order": "checkerboard"}
    options |= {"surrogate": "mixed"} | VARIANTS[name]
  config = recipes.short(Config(model=Model("gained", options)), steps=12_000)
  if name != "base":
    config.optimizer.learning_rate, config.optimizer.steps = 5e-4, 2_400
    config.loss.temperature_steps = 2_400
    config.checkpoint_every = 1_200
  if name == "annealed":
    config.loss.temperature_end = 0.01
  return default.flags(config)
