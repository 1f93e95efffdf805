"""The next embedded codec, lapped-2: one model for every quality from 0 to 6.

Command: python train.py --config=configs/lapped.py --workdir=RUN
           --config.data.folder=PHOTOS --config.eval.folder=HELD_OUT
Data: 1,429 photographs and tiles of photographs of up to 1024x768 pixels, JPEG
  quality 90, 4:4:4; sources in lapped-1's model card. 1.05 GB in memory.
Machine: 2 cores of an Intel Xeon (Sapphire Rapids), no GPU.
Hours: as many as there are, see benchmarks/release_training.md, which has what
  to expect on Kodak, too. lapped-1's own recipe stands in its model card.
Decoder: @@ kMAC per pixel; weights: @@ MiB in half precision.

What was tried. Each trial had one core for 15 minutes, but for evaluation and
compilation, @@
"""

from configs import default


def get_config(size: str = "published") -> default.ConfigDict:
  """Every field that differs from configs/default.py."""
  config = default.get_config()
  config.start_from, config.start_partly = "lapped-1", True
  config.log_every = 100
  config.checkpoint_every = 500
  config.eval.update(every=500, crop=256)
  config.model = default.ConfigDict(
    {
      "name": "lapped",
      "options": {
        "width": 96,  # of the hyper networks
        "two_pass": 2,  # groups of channels that take two passes
        "reach": 3,  # sites a side that a second pass sees
        "predict_width": 96,
        "predict_layers": 1,
        "analysis_widths": (96, 144),  # at strides 8, 16
        "analysis_blocks": (2, 2),
        "synthesis_widths": (144, 96, 48),  # at strides 16, 8, 4
        "synthesis_blocks": (3, 4, 4),
        "surrogate": "mixed",  # or straight, for a last phase
      },
    }
  )
  config.data.update(batch=16, crop=128, resident=True, draw="pixels")
  config.optimizer.update(name="muon", matrix_factor=2.0, newton_schulz=3)
  config.optimizer.update(learning_rate=4e-4, warmup_steps=200)
  config.optimizer.update(schedule="stable", steps=1_000_000)
  config.optimizer.slow = (
    "forward",
    "inverse",
    "log_gain",
    "log_inverse_gain",
    "log_deviation",
  )
  config.optimizer.slow_factor = 0.2
  config.loss.continuous = 0.25
  config.loss.update(max_norm=20.0, average_decay=0.9995)
  config = default.sized(
    config,
    size,
    width=12,
    groups=(6,),
    two_pass=0,
    predict_width=12,
    analysis_widths=(12, 18),
    synthesis_widths=(18, 12, 6),
  )
  if size == "toy":
    config.start_from = ""  # none of its weights are so small
  return config
