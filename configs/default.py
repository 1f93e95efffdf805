"""The defaults of a configuration, whose fields are flags of train.py.

`jaxlic/training/config.py` explains every field.
"""

import dataclasses

from ml_collections import ConfigDict, config_dict

from jaxlic.training.config import Config, Model
from jaxlic.training.recipes import sized


def get_config() -> ConfigDict:
  """Returns the defaults; they lack a model."""
  fields = flags(Config(model=Model("")))
  del fields.model
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
