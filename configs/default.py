"""Every field of a configuration, with the value it has unless a file says so.

CompressAI's optimizer: Adam at 1e-4, gradients clipped to norm 1.
"""

import ml_collections

from jaxlic.errors import JaxlicError
from jaxlic.models import gained as gained_models

ConfigDict = ml_collections.ConfigDict
NEVER = float("inf")


def get_config() -> ConfigDict:
  """Returns the defaults; they lack a model."""
  return ConfigDict(
    {
      "seed": 0,
      "start_from": "",  # a codec's folder, whose weights the run begins with
      "start_partly": False,  # only with those of the same name and shape
      "dtype": "float32",  # of convolutions in training, or bfloat16
      "accumulate": 1,  # turns in which a device takes its share of a batch
      "log_every": 100,  # steps
      "checkpoint_every": 5_000,  # steps
      "data": {
        "folder": "photos",  # or a file made by `jaxlic prepare`
        "batch": 16,  # of all devices together
        "crop": 256,  # pixels a side
        "smallest_scale": 1.0,  # photographs are shrunk by up to this factor
        "resident": False,  # all decoded in each device's memory, cut there
        "dispatch": 1,  # resident: steps that a device takes by itself
        "draw": "epochs",  # or pixels (resident): in proportion to their size
        "threads": 16,  # that decode, in each process
        "workers": 0,  # processes that decode, beside each process
      },
      "eval": {
        "folder": "",  # held-out photographs; "": none
        "every": 50_000,  # steps
        "images": 24,  # at most
        "crop": 0,  # largest side, around the centre; 0: whole photographs
        "pictures": 2,  # shown in TensorBoard
      },
      "optimizer": {
        "name": "adam",  # or adamw, muon, soap
        "weight_decay": 0.0,  # of adamw
        "learning_rate": 1e-4,
        "warmup_steps": 0,
        "matrix_factor": 1.0,  # muon, soap: matrices at this times the rate
        "momentum": 0.95,  # of muon and soap
        "newton_schulz": 3,  # muon: steps of its iteration
        "schedule": "constant",  # or stable, cosine, step, power, plateau
        "steps": 2_000_000,
        "decay_steps": 10_000,  # stable: the last, in which the rate falls
        "final": 0.01,  # cosine and stable: share of the rate that is left
        "boundaries": (),  # step: where the rate falls
        "factor": 0.5,  # step and plateau: to this share
        "delay": 1_000,  # power: steps until the rate falls steeply
        "power": 0.8,  # power: the exponent of its fall
        "window": 10_000,  # plateau: steps whose mean loss is watched
        "patience": 20,  # plateau: windows without a lower loss
        "clip_norm": 1.0,
        "slow": (),  # top-level parameters at slow_factor times the rate
        "slow_factor": 1.0,
        "only": (),  # top-level parameters that learn; (): all
        "open_window": 0,  # steps after which a mask may open; 0: never
        "open_threshold": 0.01,  # share of the loss that a window must gain
        "open_factor": 0.1,  # share of the rate when all is open and no gain
      },
      "loss": {
        "distortion": "mse",  # or ms-ssim
        "lambdas": (),  # weights of the distortion; (): the model's own
        "continuous": 0.0,  # share of images with a quality between levels
        "balance": 0.5,  # losses are divided by lambda^balance; papers have 0
        "average_decay": 0.999,  # of the moving average, which is exported
        "max_norm": NEVER,  # steps with a larger gradient are skipped
        "max_skipped": 100,  # about so many skipped in a row end the run
        "temperature_start": 1.0,  # of soft rounding, of a lattice's softmax
        "temperature_end": 0.1,
        "temperature_steps": 1_000_000,
      },
    }
  )


def zoo(name: str) -> ConfigDict:
  """Returns the recipe of CompressAI's model zoo for a model.

  See configs/mbt2018_mean.py for what it is.
  """
  config = get_config()
  config.model = published(name)
  config.optimizer.schedule = "plateau"
  config.optimizer.steps = 4_500_000
  config.optimizer.window = 9_621
  return config


def gained(name: str, **options: object) -> ConfigDict:
  """Returns GainedVAE's recipe for a model.

  See configs/gained.py for what it is.
  """
  config = get_config()
  defaults = {
    "lambdas": gained_models.GAINED_VAE,  # of the levels, lowest rate first
    "hyper_input": "gained",  # or ungained
    "surrogate": "noise",  # or mixed, soft, universal
  }
  config.model = ConfigDict({"name": name, "options": defaults | options})
  config.loss.balance = 0.0
  config.optimizer.schedule = "plateau"
  config.optimizer.update(factor=0.2, patience=10, window=10_000)
  return config


def lvqac(name: str) -> ConfigDict:
  """Returns the recipe of LVQAC's paper for a model.

  See configs/lvqac_minnen2018.py for what it is.
  """
  config = get_config()
  config.model = published(name)
  config.model.options.update(
    quality=3,
    lattice="Dn*",  # see jaxlic/quantize/lattice.py
    block=ml_collections.config_dict.placeholder(int),  # channels of a point
    coset="raw",  # or modelled
    companding="hyper",  # or sent, none
    order="raster",  # or checkerboard
    surrogate="softmax",  # or mixed, noise
  )
  config.data.crop = 512
  config.loss.balance = 0.0
  config.loss.temperature_end = 0.01  # of the softmax, see quantize/lattice.py
  config.optimizer.update(steps=1_050_000, schedule="step", factor=0.1)
  config.optimizer.boundaries = (1_000_000,)
  return config


def theis2017(name: str, **options: object) -> ConfigDict:
  """Returns the recipe of Theis 2017 for a model.

  See configs/theis2017.py for what it is.
  """
  config = get_config()
  defaults = {
    "quality": 2,
    "width": 128,
    "latent": ml_collections.config_dict.placeholder(int),
    "density": "scales",  # or mixture, factorized
    "components": 6,
    "padding": "mirror",  # or strided, zero
    "surrogate": "straight",  # or stochastic; if exact, also noise, mixed, ...
    "rated": "bound",  # or exact
    "open_at_first": 2,  # channels; 0: all
  }
  config.model = ConfigDict({"name": name, "options": defaults | options})
  config.data.update(batch=32, crop=128)
  config.optimizer.update(steps=1_000_000, clip_norm=NEVER)
  return config


def published(name: str) -> ConfigDict:
  """Returns a model whose size is that of a published quality, 1 to 8."""
  return ConfigDict(
    {
      "name": name,
      "options": {
        "quality": 4,
        "width": ml_collections.config_dict.placeholder(int),
        "latent": ml_collections.config_dict.placeholder(int),
        "norm": "sqrt",
        "surrogate": "noise",  # or mixed, soft, universal
      },
    }
  )


def short(config: ConfigDict, steps: int, *, batch: int = 8) -> ConfigDict:
  """Returns a configuration with the recipe of configs/comparisons/."""
  config.data.update(batch=batch, crop=128)
  config.optimizer.update(learning_rate=1e-3, steps=steps, warmup_steps=200)
  config.optimizer.schedule = "cosine"
  config.update(log_every=100, checkpoint_every=1_000)
  return config


def sized(config: ConfigDict, size: str, **tiny: object) -> ConfigDict:
  """Returns a configuration at the size that its flag names.

  Args:
    config: The configuration at its published size.
    size: "published", or "toy", which runs in seconds.
    **tiny: Options of the model at the size "toy".

  Raises:
    JaxlicError: If the size is another.
  """
  if size == "toy":
    config.model.options.update(tiny)
    config.log_every, config.checkpoint_every = 1, 5
    config.data.update(batch=8, crop=64, threads=2)
    config.eval.update(every=10, images=2, crop=64)
    config.optimizer.update(steps=10, warmup_steps=1, decay_steps=4, window=2)
  elif size != "published":
    raise JaxlicError(
      f"a configuration's size is published or toy, got {size!r}; write "
      "--config=FILE or --config=FILE:toy"
    )
  return config
