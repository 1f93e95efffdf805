"""The figures of `speed.py` as a Markdown table."""

import statistics

# Titles of figures, and whether more of it is better.
CODEC_TITLES = {
  "compress_seconds": ("compress, warm, s", False),
  "decompress_seconds": ("decompress, warm, s", False),
  "fresh_compress_seconds": ("fresh process, compress, s", False),
  "fresh_both_seconds": ("fresh process, both, s", False),
  "compiling_compress_seconds": ("fresh, compiling, compress, s", False),
  "compiling_both_seconds": ("fresh, compiling, both, s", False),
  "bytes": ("bytes per image", False),
  "peak_rss_mib": ("peak memory, MiB", False),
}
CODER_TITLES = {
  "encode_msymbols_per_second": ("encode, 1e6 symbols/s", True),
  "decode_msymbols_per_second": ("decode, 1e6 symbols/s", True),
  "bits_per_symbol": ("bits per symbol", False),
}


def summarize(rounds, embedded):
  """Returns `(title, ours, theirs or None, titles of its figures)` of each.

  Args:
    rounds: What `speed.run_round` returned, in turn.
    embedded: The name of the embedded codec.
  """
  parts = []
  for name in rounds[0]["jaxlic"]:
    ours = summary([r["jaxlic"][name] for r in rounds])
    theirs = summary([r["peer"][name] for r in rounds])
    # It compiles nothing: its first round only warms the disk's cache.
    theirs |= {
      key.replace("fresh", "compiling"): value
      for key, value in theirs.items()
      if key.startswith("fresh")
    }
    parts.append((name, ours, theirs, CODEC_TITLES))
  if "embedded" not in rounds[0]:
    return parts
  ours = summary([r["embedded"] for r in rounds])
  parts.append((f"{embedded}, trained", ours, None, CODEC_TITLES))
  for count in rounds[0]["coder"]:
    theirs = _median(
      [r["peer_coder"][count]["with_arrays"] for r in rounds[1:]]
    )
    for key, note in [("with_arrays", ""), ("with_tables", ", and tables")]:
      ours = _median([r["coder"][count][key] for r in rounds[1:]])
      title = f"coder, {count:,} symbols{note}"
      parts.append((title, ours, theirs, CODER_TITLES))
  return parts


def summary(codec_rounds):
  """Returns the figures of the table from one codec's rounds."""
  first, *later = [_flat(figures) for figures in codec_rounds]
  return _median(later) | {
    key.replace("fresh", "compiling"): value
    for key, value in first.items()
    if key.startswith("fresh")
  }


def _flat(figures):
  """One codec's figures in one round: means over images, and start-up sums."""
  images = figures["images"]
  compress = figures["startup_seconds"] + images[0]["first_compress_seconds"]
  return {
    key: statistics.mean(image[key] for image in images)
    for key in ("compress_seconds", "decompress_seconds", "bytes")
  } | {
    "fresh_compress_seconds": compress,
    "fresh_both_seconds": compress + images[0]["first_decompress_seconds"],
    "peak_rss_mib": figures["peak_rss_mib"],
  }


def _median(rounds):
  return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def markdown(parts):
  """Returns the table; a ratio above 1 is in favour of jaxlic."""
  lines = ["| | | jaxlic | CompressAI | ratio |", "|---|---|---:|---:|---:|"]
  for title, ours, theirs, titles in parts:
    for key, (label, more_is_better) in titles.items():
      cells = [title, label, _number(ours[key]), "", ""]
      if theirs:
        ratio = theirs[key] / ours[key]
        ratio = 1 / ratio if more_is_better else ratio
        cells[3:] = _number(theirs[key]), f"{ratio:.2f}"
      lines.append(f"| {' | '.join(cells)} |")
  return "\n".join(lines)


def _number(value):
  return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"
