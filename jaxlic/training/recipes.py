"""Recipes of papers and of their public implementations, as configurations.

    config = recipes.zoo(recipes.published("mbt2018-mean"))
    config.data.folder = "photos"

Where an option of a model is None, the model has its own value. The files of
configs/ name each paper, and what to expect of it.
"""

from dataclasses import replace

from jaxlic.errors import JaxlicError
from jaxlic.training.config import (
  NEVER,
  Config,
  Data,
  Loss,
  Model,
  Optimizer,
)


def published(name: str, **options: object) -> Model:
  """Returns a model whose size is that of a published quality, 1 to 8."""
  defaults = {
    "quality": 4,
    "width": None,
    "latent": None,
    "norm": "sqrt",
    "surrogate": "noise",  # or mixed, soft, universal
  }
  return Model(name, defaults | options)


def without(model: Model, *names: str) -> Model:
  """Returns a model without some of its options."""
  kept = {k: v for k, v in model.options.items() if k not in names}
  return Model(model.name, kept)


def zoo(model: Model) -> Config:
  """Returns the recipe of CompressAI's model zoo for a model.

  See configs/mbt2018_mean.py for what it is.
  """
  return Config(
    model=model,
    optimizer=Optimizer(schedule="plateau", steps=4_500_000, window=9_621),
  )


def gained(
  name: str, *, lambdas: tuple[float, ...], **options: object
) -> Config:
  """Returns GainedVAE's recipe for a model.

  See configs/gained.py for what it is.

  Args:
    name: Of a model with gain units.
    lambdas: Of the levels, lowest rate first.
    **options: Of the model, besides.
  """
  defaults = {
    "lambdas": lambdas,
    "hyper_input": "gained",  # or ungained
    "surrogate": "noise",  # or mixed, soft, universal
  }
  return Config(
    model=Model(name, defaults | options),
    optimizer=Optimizer(
      schedule="plateau", factor=0.2, patience=10, window=10_000
    ),
    loss=Loss(balance=0.0),
  )


def lvqac(name: str) -> Config:
  """Returns the recipe of LVQAC's paper for a model.

  See configs/lvqac_minnen2018.py for what it is.
  """
  model = published(
    name,
    quality=3,
    lattice="Dn*",  # see jaxlic/quantize/lattices
    block=None,  # channels of a point
    coset="raw",  # or modelled
    companding="sent",  # or hyper, none
    order="raster",  # or checkerboard
    surrogate="softmax",  # or mixed, noise
  )
  return Config(
    model=model,
    data=Data(crop=512),
    optimizer=Optimizer(
      schedule="step", steps=1_050_000, boundaries=(1_000_000,), factor=0.1
    ),
    loss=Loss(balance=0.0, temperature_end=0.01),  # of the softmax
  )


def theis2017(name: str, **options: object) -> Config:
  """Returns the recipe of Theis 2017 for a model.

  See configs/theis2017.py for what it is.
  """
  defaults = {
    "quality": 2,
    "width": 128,
    "latent": None,
    "density": "scales",  # or mixture, factorized
    "components": 6,
    "padding": "mirror",  # or strided, zero
    "surrogate": "straight",  # or stochastic; if exact, also noise, mixed, ...
    "rated": "bound",  # or exact
    "open_at_first": 2,  # channels; 0: all
  }
  return Config(
    model=Model(name, defaults | options),
    data=Data(batch=32, crop=128),
    optimizer=Optimizer(steps=1_000_000, clip_norm=NEVER),
  )


def short(config: Config, steps: int, *, batch: int = 8) -> Config:
  """Returns a configuration with the recipe of configs/comparisons/."""
  return replace(
    config,
    log_every=100,
    checkpoint_every=1_000,
    data=replace(config.data, batch=batch, crop=128),
    optimizer=replace(
      config.optimizer,
      learning_rate=1e-3,
      steps=steps,
      warmup_steps=200,
      schedule="cosine",
    ),
  )


def toy(config: Config, **options: object) -> Config:
  """Returns a configuration that runs in seconds.

  Args:
    config: At its published size.
    **options: Of the model, at a size to go with it.
  """
  return replace(
    config,
    log_every=1,
    checkpoint_every=5,
    data=replace(config.data, batch=8, crop=64, threads=2),
    eval=replace(config.eval, every=10, images=2, crop=64),
    optimizer=replace(
      config.optimizer, steps=10, warmup_steps=1, decay_steps=4, window=2
    ),
    model=Model(config.model.name, config.model.options | options),
  )


def sized(config: Config, size: str, **options: object) -> Config:
  """Returns a configuration at the size that its flag names.

  Args:
    config: At its published size.
    size: "published" or "toy", see there.
    **options: Of the model at the size "toy".

  Raises:
    JaxlicError: If the size is another.
  """
  if size not in ("published", "toy"):
    raise JaxlicError(
      f"a configuration's size is published or toy, got {size!r}; write "
      "--config=FILE or --config=FILE:toy"
    )
  return toy(config, **options) if size == "toy" else config
