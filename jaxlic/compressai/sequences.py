"""An `nn.Sequential` of CompressAI as a list of layers.

A layer is one that has weights of its own. Blocks are tables of layers, whose
names are relative to the block's.

References:
  Begaint et al., "CompressAI", 2020; layers/layers.py of release 1.2.8.
"""

from typing import NamedTuple


class Layer(NamedTuple):
  """A layer's kind, and where its weights are: prefixes of their names."""

  kind: str  # a key of layers.KINDS
  source: str  # in a checkpoint, "g_a.0"
  target: str  # in our parameters, "analysis/params/conv0"


# Residual blocks have no `skip` of their own where the width stays.
_RESIDUAL = (Layer("conv", "conv1", "conv0"), Layer("conv", "conv2", "conv1"))
BLOCKS = {
  "block": _RESIDUAL,
  "down": (
    *_RESIDUAL,
    Layer("gdn", "gdn", "gdn"),
    Layer("conv", "skip", "skip"),
  ),
  "up": (
    Layer("subpixel", "subpel_conv.0", "up/conv"),
    Layer("conv", "conv", "conv"),
    Layer("gdn", "igdn", "gdn"),
    Layer("subpixel", "upsample.0", "skip/conv"),
  ),
  "up_subpixel": (Layer("subpixel", "0", "conv"),),
  "bottleneck": tuple(
    Layer("conv", f"conv{k + 1}", f"conv{k}") for k in range(3)
  ),
  "attention": (
    *(
      Layer("conv", f"conv_{branch}.{i}.conv.{2 * k}", f"{branch}{i}/conv{k}")
      for branch in "ab"
      for i in range(3)
      for k in range(3)
    ),
    Layer("conv", "conv_b.3", "mask"),
  ),
}
# What ours is called where that differs.
NAMES = {"up_conv": "conv", "up_subpixel": "up", "bottleneck": "block"}


def sequence(source: str, target: str, kinds: str) -> list[Layer]:
  """Returns the layers of an `nn.Sequential`.

  Ours are numbered by what they are, conv0, gdn0, conv1, ...: convolutions up
  and down count together.

  Args:
    source: Its name, "g_a".
    target: The part of our parameters, "analysis/params".
    kinds: Of its layers or blocks in turn; "-" stands for one without weights.
  """
  layers, counts = [], {}
  for index, kind in enumerate(kinds.split()):
    if kind == "-":
      continue
    name = NAMES.get(kind, kind)
    number = counts[name] = counts.get(name, -1) + 1
    here, ours = f"{source}.{index}", f"{target}/{name}{number}"
    parts = BLOCKS.get(kind)
    if parts is None:
      layers.append(Layer(kind, here, ours))
      continue
    layers += [
      Layer(part.kind, f"{here}.{part.source}", f"{ours}/{part.target}")
      for part in parts
    ]
  return layers
