import json

import pytest

import jaxlic
from jaxlic import models


@pytest.mark.slow
def test_models_lists_codecs_and_the_whole_registry(run):
  listed = json.loads(run("models", "--json"))
  assert [row["name"] for row in listed["architectures"]] == list(models.MODELS)
  default = next(c for c in listed["codecs"] if c["name"] == jaxlic.load().name)
  assert default["fingerprint"] == f"{jaxlic.load().fingerprint:#010x}"
  assert default["parameters"] > 1e6 > default["decode_kmac_per_pixel"] > 1
