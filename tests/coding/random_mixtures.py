"""Rows of random mixtures, symbols of theirs, and both ways of the coder."""

import math

import numpy as np

from jaxlic.coding import mixture_tables, range_coder

SCALES = np.exp(np.linspace(math.log(0.11), math.log(256), 64))
TABLES = mixture_tables.make(SCALES.tolist())
MODELS = range_coder.compile_tables(TABLES)
INT32 = np.iinfo(np.int32)


def random_rows(seed, n, k=3, top=63):
  """Rows of scales up to `top`, and means some scales apart."""
  rng = np.random.default_rng(seed)
  scales = rng.integers(0, top, (n, 1), endpoint=True)
  scales = np.clip(scales + rng.integers(-4, 5, (n, k)), 0, 63)
  means = rng.normal(size=(n, k)) * SCALES[scales] * 2 + rng.normal(size=(n, 1))
  weights = rng.integers(0, 97, (n, k))
  weights[np.arange(n), rng.integers(0, k, n)] = 96
  rows = np.concatenate([np.rint(64 * means), scales, weights], 1)
  return rows.astype(np.int32)


def wild_rows(seed, n, k=3):
  """Rows of any integers that are allowed."""
  rng = np.random.default_rng(seed)
  means = rng.integers(-(2**21), 2**21, (n, k), endpoint=True)
  means >>= rng.integers(0, 21, (n, k))
  scales = rng.choice([0, 1, 20, 40, 62, 63], (n, k))
  weights = rng.choice([0, 4, 50, 96], (n, k))
  weights[:, -1] = 96
  return np.concatenate([means, scales, weights], 1).astype(np.int32)


def draw(seed, rows):
  """Symbols of the mixtures; a tenth of them is anything."""
  rng = np.random.default_rng(seed)
  n, k = len(rows), rows.shape[1] // 3
  weights = TABLES.weights[rows[:, 2 * k :]].astype(float).cumsum(1)
  chosen = (rng.random((n, 1)) * weights[:, -1:] > weights).sum(1)
  which = np.arange(n), chosen
  mean, scale = rows[:, :k][which] / 64, SCALES[rows[:, k : 2 * k][which]]
  symbols = np.rint(mean + scale * rng.normal(size=n)).astype(np.int64)
  wild = rng.integers(INT32.min, INT32.max, n, endpoint=True)
  wild >>= rng.integers(0, 32, n)
  return np.where(rng.random(n) < 0.1, wild, symbols).astype(np.int32)


def encode(symbols, rows, models=MODELS):
  encoder = range_coder.Encoder()
  encoder.push(symbols, rows, models)
  return encoder.finish()


def decode(data, rows, models=MODELS):
  return range_coder.Decoder(data).pop(rows, models)
