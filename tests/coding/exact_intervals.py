"""The range coder in exact integers."""


def interval_of(pairs):
  """The final (low, range, digits of 32 bits) of exact integer arithmetic."""
  low, width, shifts = 0, 2**64 - 1, 0
  for f, entry in pairs:
    scale = width >> 24
    low += scale * sum(f[:entry])
    width = scale * f[entry]
    if width < 2**32:
      low, width, shifts = low << 32, width << 32, shifts + 1
  return low, width, shifts + 2
