"""A codec's weights on another lattice, as a new codec, without training.

    python benchmarks/recode.py CODEC OUT lattice=E8 coset=modelled

The codec is of LVQAC, or of `gained` around it; what follows are the options
that change. A modelled bit has the logits that training begins with.
"""

import argparse
from pathlib import Path

import jax

from jaxlic import models, zoo
from jaxlic.models.lvqac import COSET


def main():
  """Writes the codec."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("codec")
  parser.add_argument("out")
  parser.add_argument("options", nargs="+", help="NAME=VALUE")
  arguments = parser.parse_args()
  source = zoo.load(arguments.codec)
  options = source.options | dict(pair.split("=") for pair in arguments.options)
  model = models.make(source.architecture, **options)
  params = {k: v for k, v in source.params.items() if k != COSET}
  params = model.init(jax.random.key(0)) | params
  zoo.export(
    arguments.out,
    name=Path(arguments.out).name,
    architecture=source.architecture,
    options=options,
    params=params,
  )


if __name__ == "__main__":
  main()
