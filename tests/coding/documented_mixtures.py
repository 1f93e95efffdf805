"""The frequencies of mixtures in Python's integers, from the documentation."""

import numpy as np

from tests.coding.random_mixtures import TABLES

CLASSES = [(4, 1), (8, 1), (16, 1), (32, 1), (16, 4), (16, 16), (32, 32)]
CLASSES.append((64, 64))


class Documented:
  """One mixture's distribution in Python's integers, from the documents."""

  def __init__(self, row):
    k = len(row) // 3
    means, scales, weights = row[:k], row[k : 2 * k], row[2 * k :]
    self.scales = [int(TABLES.reciprocals[s]) for s in scales]
    self.means = []
    for mean, scale in zip(means, scales, strict=True):
      whole, phase = divmod(mean + 32, 64)
      centre = int(TABLES.centres[scale, phase])
      self.means.append(4096 * whole + centre)
    weights = [int(TABLES.weights[w]) for w in weights]
    self.weights = [2**24 * w // sum(weights) for w in weights]
    heaviest = weights.index(max(weights))
    self.weights[heaviest] += 2**24 - sum(self.weights)
    low, high = [], []
    for mean, scale, weight in self.components():
      if weight:
        low.append((mean - 5 * 2**36 // scale + 2048) // 4096)
        high.append((mean + 5 * 2**36 // scale + 2048) // 4096)
    width = max(high) - min(low) + 1
    fitting = [i for i, (n, m) in enumerate(CLASSES) if n * m >= width]
    self.group = fitting[0] if fitting else 7
    self.bins, self.step = CLASSES[self.group]
    size = self.bins * self.step
    self.low = min(low) - (size - width) // 2
    if not fitting:
      self.low = (self.means[heaviest] + 2048) // 4096 - size // 2

  def components(self):
    return zip(self.means, self.scales, self.weights, strict=True)

  def below(self, symbol):
    """C at the symbol's lower edge."""
    total = 0
    for mean, scale, weight in self.components():
      # Entries of the table, 2^12 places each.
      place = (4096 * symbol - 2048 - mean) * scale * 256 >> 24
      place = min(max(place + (1536 << 12), 0), (3072 << 12) - 1)
      a, b = (int(v) for v in TABLES.cdf[place >> 12 :][:2])
      total += weight * (a + ((b - a) * (place % 4096) >> 12))
    return total >> 16

  def bin_frequencies(self):
    start, n = self.below(self.low), self.bins
    edges = [self.low + j * self.step for j in range(n + 1)]
    ends = [self.below(e) - start for e in edges]
    ends = [(e * (2**24 - n - 1) >> 38) + j for j, e in enumerate(ends)]
    return np.diff([*ends, 2**24]).tolist()

  def place_frequencies(self, first):
    m = self.step
    ends = [self.below(first + j) - self.below(first) + j for j in range(m + 1)]
    ends = [e * (2**24 - m) // ends[-1] + j for j, e in enumerate(ends)]
    return np.diff(ends).tolist()


def entries_of(symbols, rows):
  """The (frequencies, entry) pairs of one push, but for escaped values."""
  all_ = [Documented(row) for row in rows.tolist()]
  order = sorted(range(len(rows)), key=lambda i: all_[i].group)
  bins, places = [], []
  for i in order:
    d, symbol = all_[i], int(symbols[i])
    j = (symbol - d.low) // d.step
    assert 0 <= j < d.bins, "the test needs symbols inside their windows"
    bins.append((d.bin_frequencies(), j))
    if d.step > 1:
      first = d.low + j * d.step
      places.append((d.place_frequencies(first), symbol - first))
  return bins + places
