import json
from pathlib import Path

import numpy as np
import pytest

from jaxlic import metrics
from jaxlic.errors import JaxlicError

ANCHORS = Path(__file__).parents[3] / "shared" / "anchors"

# Kodak means of VTM and of BPG 4:4:4 (x265), rounded, from the results that
# CompressAI publishes: results/image/kodak/{vtm,bpg_444_x265_ycbcr}.json.
VTM = (
  [0.0482449, 0.1124954, 0.2458165, 0.4905455]
  + [0.8748101, 1.4308497, 2.3246070, 3.6326090],
  [26.144845, 28.493022, 31.199874, 34.261533]
  + [37.419793, 40.424442, 43.505767, 46.591760],
)
BPG = (
  [0.0677677, 0.1610235, 0.3515540, 0.6846966]
  + [1.1996655, 1.9297121, 3.0578758, 4.7031428],
  [26.195128, 28.681549, 31.594657, 34.857474]
  + [38.259887, 41.478873, 44.703110, 47.632516],
)


def _kodak(name):
  path = ANCHORS / "kodak" / f"{name}.json"
  if not path.exists():
    pytest.skip("published Kodak results are not beside this repository")
  results = json.loads(path.read_text())["results"]
  return results["bpp"], results.get("psnr-rgb") or results["psnr"]


def _tfc(name, max_bpp):
  path = ANCHORS / "tfc_kodak" / "PSNR_sRGB_RGB" / f"{name}.txt"
  if not path.exists():
    pytest.skip("published Kodak results are not beside this repository")
  points = np.loadtxt(path, delimiter=",")
  return tuple(points[points[:, 0] < max_bpp].T)


def test_bd_rate_of_bpg_against_vtm_is_the_published_one():
  # 21.987 is SciPy's PchipInterpolator on the unrounded points.
  assert metrics.bd_rate(*VTM, *BPG) == pytest.approx(21.987, abs=2e-3)


def test_bd_rate_of_a_scaled_rate_is_that_scale():
  rates = [0.8 * rate for rate in VTM[0]]
  assert metrics.bd_rate(*VTM, rates, VTM[1]) == pytest.approx(-20)


def test_bd_rate_with_swapped_curves_is_the_reciprocal():
  gain = 1 + metrics.bd_rate(*BPG, *VTM) / 100
  loss = 1 + metrics.bd_rate(*VTM, *BPG) / 100
  assert gain * loss == pytest.approx(1)


def test_bd_rate_of_two_points_is_linear_in_log_rate():
  # The means of log2 rate over 30..40 dB are 1 and 1.25.
  value = metrics.bd_rate([1.0, 4.0], [30.0, 40.0], [2.0, 2**1.5], [30.0, 40.0])
  assert value == pytest.approx(100 * (2**0.25 - 1))


def test_bd_rate_ignores_the_order_of_points():
  reverse = [values[::-1] for values in BPG]
  assert metrics.bd_rate(*VTM, *reverse) == metrics.bd_rate(*VTM, *BPG)


def test_bd_rate_against_bpg_is_the_one_of_minnen_2018():
  # The paper says 8.4 %; the points are those of TensorFlow Compression.
  anchor = _tfc("bpg444", 2.4)
  test = _tfc("minnen-2018-neurips-opt-mse", 2.1)
  assert metrics.bd_rate(*anchor, *test) == pytest.approx(-8.39, abs=5e-3)


# PCHIP of SciPy on the same points, rounded to 0.1.
@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("jpeg", 208.5),
    ("jpeg2000", 98.0),
    ("hm", 23.3),
    ("bpg_444_x265_ycbcr", 22.0),
    ("av1", 16.2),
    ("compressai-bmshj2018-hyperprior_mse_cuda", 30.5),
    ("compressai-cheng2020-anchor_mse_cuda", 3.7),
    ("paper-elic2022_mse", -7.0),
  ],
)
def test_bd_rate_against_vtm_is_the_known_one(name, expected):
  value = metrics.bd_rate(*_kodak("vtm"), *_kodak(name))
  assert value == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
  ("rate", "db", "message"),
  [
    ([1.0], [30.0], "the test has 1 and 1; add points"),
    ([1.0, 2.0], [30.0], "the test has 2 and 1"),
    ([1.0, 2.0], [50.0, 60.0], r"common range of dB, got 26.*and 50\.\.60"),
    ([1.0, 2.0, 3.0], [30.0, 29.0, 40.0], "has 30 dB at 1 bpp, then 29 at 2"),
    ([1.0, 1.0], [30.0, 40.0], "dB must rise with the rate"),
    ([0.0, 1.0], [30.0, 40.0], r"rates must be positive.*bpp 0\.\.1"),
    ([1.0, 2.0], [30.0, np.inf], "finite"),
  ],
)
def test_bd_rate_refuses_curves_without_a_meaning(rate, db, message):
  with pytest.raises(JaxlicError, match=message):
    metrics.bd_rate(*VTM, rate, db)
