"""The size that a file claims, against what its payload can hold."""

import numpy as np
import pytest

from jaxlic import models, zoo
from jaxlic.codec import claims, compiled, payloads
from jaxlic.coding import range_coder, tables
from tests.conftest import make_toy

HUGE = 8192, 8192  # 2^26 pixels


def least_bytes(model, params, frozen, size, level=0.0):
  coder_models = payloads.coder_models(frozen)
  steps = compiled.compile_model(model)
  return claims.least_bytes(model, steps, params, coder_models, size, level)


def test_the_likeliest_symbols_take_the_fewest_bits():
  pmfs = ([0.5, 0.25, 0.25], [0.125] * 8, [1.0])
  coder_models = range_coder.compile_tables(
    tables.make_tables([(np.array(pmf), 0.0, 0) for pmf in pmfs])
  )
  # -log2 of 1/2, 1/8, 1/8 and 1, but for the escapes' counts of 1 in 2^24.
  bits = range_coder.least_bits(np.array([0, 1, 1, 2]), coder_models)
  assert bits == pytest.approx(7, abs=1e-5)


def test_the_likeliest_symbols_are_coded_in_the_fewest_bits():
  rng = np.random.default_rng(0)
  frozen = tables.make_tables(
    [(rng.dirichlet(np.ones(n)), 1e-6, -2) for n in (2, 5, 9)]
  )
  coder_models, rows = range_coder.compile_tables(frozen), np.arange(3000) % 3
  likeliest = frozen.frequencies[rows].argmax(1) - 2
  encoder = range_coder.Encoder()
  encoder.push(likeliest.astype(np.int32), rows, coder_models)
  bits = range_coder.least_bits(rows, coder_models)
  # A symbol loses 2^-8 of the range to truncation at most, the end a byte.
  excess = 8 * len(encoder.finish()) - bits
  assert 0 <= excess <= 8 + 3000 * np.log2(1 + 2**-8)


@pytest.mark.parametrize(
  ("name", "least"), [("lapped-1", 29_214), ("lapped-2", 49_836)]
)
def test_the_largest_images_of_embedded_codecs_take_kilobytes(name, least):
  # Every block of 64 x 64 pixels takes 14.27 and 24.34 bits, by a sum over the
  # stored tables; 16 bytes are slack.
  trained = zoo.load(name)
  frequencies = trained.tables["z"].frequencies.max(1) / 2**24
  assert least == int(2**14 * -np.log2(frequencies).sum() / 8) - 16
  model = models.make(trained.architecture, **trained.options)
  for level in (0.0, 6.0):
    found = least_bytes(model, trained.params, trained.tables, HUGE, level)
    assert found == least


def test_a_model_that_predicts_its_first_stage_has_no_least_size():
  model, _, params, frozen = make_toy("bmshj2018-factorized")
  (stage,) = model.stages
  density = stage.density._replace(channel_rows=None)
  other = model._replace(stages=(stage._replace(density=density),))
  assert least_bytes(model, params, frozen, HUGE) > 0
  assert least_bytes(other, params, frozen, HUGE) == 0


def test_zeros_at_the_end_are_written_up_to_the_least_size(monkeypatch):
  # All symbols at the starts of their rows make a payload of nothing but
  # zeros, which a coder drops; a file has to have them.
  model, built, params, frozen = make_toy("bmshj2018-factorized")
  image = np.zeros((160, 160, 3), np.float32)
  least = least_bytes(model, params, frozen, (160, 160))
  assert least > 0
  monkeypatch.setattr(range_coder.Encoder, "finish", lambda self: b"")
  assert built.encode(params, frozen, image).data == bytes(least)
