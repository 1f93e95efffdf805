"""A codec's weights on another lattice, as a new codec, without training.

    python benchmarks/recode.py CODEC OUT lattice=E8 coset=modelled

The codec is of LVQAC, or of `gained` around it; what follows are the options
that change. A modelled bit has the logits that training begins with.
"""

import argparse
from pathlib import Path

from jaxlic import checkpoint
from jaxlic.entropy import cosets
from jaxlic.models.lvqac import COSET
from jaxlic.quantize import lattice


def main():
  """Writes the codec."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("codec")
  parser.add_argument("out")
  parser.add_argument("options", nargs="+", help="NAME=VALUE")
  given = parser.parse_args()
  source = checkpoint.load(given.codec)
  options = source.options | dict(pair.split("=") for pair in given.options)
  params = dict(source.params)
  params.pop(COSET, None)
  channels = source.model.stages[-1].spec.channels
  name = options["lattice"]
  points = lattice.make(name, None if name in lattice.FIXED else channels)
  if options.get("coset") == "modelled" and points.coset_bits:
    params[COSET] = cosets.init(points)
  checkpoint.export(
    given.out,
    name=Path(given.out).name,
    architecture=source.architecture,
    options=options,
    params=params,
  )


if __name__ == "__main__":
  main()
