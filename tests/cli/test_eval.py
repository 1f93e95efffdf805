import json
from pathlib import Path

import pytest

from jaxlic import files
from tests.cli.conftest import noise


@pytest.mark.newest
def test_eval_writes_compressais_schema(run, model, png, tmp_path):
  out = tmp_path / "curve.json"
  words = "eval", Path(png).parent, "--model", model, "--qualities", "1,4.5"
  table = run(*words, "--out", out)
  curve = json.loads(out.read_text())
  data = files.compress(noise(48, 48, 3), quality=4.5, model=model)
  assert curve["name"] == "tiny"
  assert curve["results"]["bpp"][1] == len(data) * 8 / 48**2
  assert curve["results"]["ms-ssim-rgb"] == [None, None]
  assert f"{len(data) * 8 / 48**2:.4f}" in table and "161 pixels" in table


def test_eval_sweeps_a_range_of_qualities(run, model, png, tmp_path):
  out, table = tmp_path / "curve.json", tmp_path / "curve.csv"
  words = "eval", Path(png).parent, "--model", model, "--qualities", "0:0.3:0.1"
  printed = run(*words, "--out", out, "--csv", table)
  results = json.loads(out.read_text())["results"]
  # As decimals: 3 * 0.1 is not 0.3 in binary.
  assert results["quality"] == [0.0, 0.1, 0.2, 0.3]
  lines = table.read_text().splitlines()
  assert len(lines) == 5
  row = dict(zip(lines[0].split(","), lines[2].split(","), strict=True))
  assert float(row["bpp"]) == results["bpp"][1]
  assert float(row["estimated_bpp"]) == results["estimated-bpp"][1]
  assert f"{results['estimated-bpp'][1]:.4f}" in printed
