"""CompressAI and torch, for make_fixtures.py; the tests need neither."""

from benchmarks.compressai_peer import import_compressai

import_compressai(threads=1)

import torch  # noqa: E402
from compressai import entropy_models, layers, models  # noqa: E402
from compressai.models.sensetime import Elic2022Official  # noqa: E402
from torch import nn  # noqa: E402

__all__ = [
  "Elic2022Official",
  "entropy_models",
  "layers",
  "models",
  "nn",
  "torch",
]
