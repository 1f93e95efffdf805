"""The rANS coder in exact integers."""


def payload_of(pairs):
  """The payload of (frequencies, entry) pairs, first to last."""
  x, stack = 0, []
  for frequencies, entry in reversed(pairs):
    f, below = frequencies[entry], sum(frequencies[:entry])
    if x >= f << 40:
      stack.append(x % 2**32)
      x >>= 32
    x = (x // f << 24) + x % f + below
  number = sum(word << 32 * k for k, word in enumerate(stack))
  number += x << 32 * len(stack)
  return number.to_bytes(-(-number.bit_length() // 8), "big")


def entries_from(payload, rows):
  """The entries of those rows of frequencies, and whether nothing is left."""
  number, words = int.from_bytes(payload, "big"), -(-len(payload) // 4)
  stack = [number >> 32 * k & 0xFFFFFFFF for k in range(words)]
  x = 0
  for _ in range(min(2, words)):
    x = x << 32 | stack.pop()
  entries = []
  for frequencies in rows:
    place, below, entry = x % 2**24, 0, 0
    while below + frequencies[entry] <= place:
      below, entry = below + frequencies[entry], entry + 1
    x = frequencies[entry] * (x >> 24) + place - below
    if x < 2**32 and stack:
      x = x << 32 | stack.pop()
    entries.append(entry)
  return entries, not x and not stack
