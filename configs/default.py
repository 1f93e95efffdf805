"""The defaults of a configuration, whose fields are flags of train.py.

Command: python train.py --config=configs/default.py:NAME --workdir=RUN \
           --config.data.folder=PHOTOS --config.model.options.OPTION=VALUE
  trains the model NAME, also one of your own (--import=my_model.py).

`jaxlic/training/config.py` explains every field.
"""

import dataclasses

from ml_collections import ConfigDict, config_dict

from jaxlic import models
from jaxlic.training.config import Config, Model
from jaxlic.training.recipes import sized


def get_config(model: str | None = None) -> ConfigDict:
  """Returns the defaults, which without a model lack that.

  Args:
    model: NAME, of any model that is registered, whose options begin at its own
      defaults; or NAME:toy, which runs in seconds.

  Raises:
    JaxlicError: If there is no such model or size.
  """
  if model is None:
    fields = flags(Config(model=Model("")))
    del fields.model
    return fields
  name, _, size = model.partition(":")
  options = models.options(name)
  told = {k: value for k, value in options.items() if value is not None}
  fields = flags(Config(model=Model(name, told)), size or "published")
  for option in options.keys() - told.keys():
    fields.model.options[option] = config_dict.placeholder(object)
  return fields


def flags(
  config: Config, size: str = "published", **options: object
) -> ConfigDict:
  """Returns a configuration whose fields are flags: --config.data.batch=8.

  An option of the model that is None takes a whole number.

  Args:
    config: At its published size.
    size: "published", or "toy", which runs in seconds.
    **options: Of the model at the size "toy".

  Raises:
    JaxlicError: If the size is another.
  """
  fields = dataclasses.asdict(sized(config, size, **options))
  fields["model"]["options"] = {
    name: config_dict.placeholder(int) if value is None else value
    for name, value in fields["model"]["options"].items()
  }
  return ConfigDict(fields)
