"""The embedded codec lapped-2: one model for every quality from 0 to 6.

Command: python train.py --config=configs/lapped.py --workdir=RUN
           --config.data.folder=PHOTOS --config.eval.folder=HELD_OUT
Data: 1,429 photographs and tiles of photographs of up to 0.74 megapixels, JPEG
  quality 90, 4:4:4; sources in lapped-1's model card. 1.05 GB in memory.
Machine: 2 cores of an Intel Xeon (Sapphire Rapids); lapped-2 had a GPU besides.
Hours: as many as there are, see benchmarks/release_training.md, which has what
  to expect on Kodak, too; what lapped-2 had, and lapped-1's recipe, stand in
  their model cards.
Decoder: 33.7 kMAC per pixel (encoder 14.1); 5,479,008 parameters, 10.5 MiB in
  half precision.

What was tried, one core each, steps chosen so that all had equal time; rounded
latents on centre crops of 384 of all of Kodak, estimated rate; BD-rate against
Adam (8e-4, 8 crops of 128, shape of lapped-1) after 15 minutes, 3,120 steps; a
second seed of that: +0.2 %. In parentheses, what a step costs, Adam's being 1.
Commands and curves are in benchmarks/results/trials-lapped-2.json.

  from random weights, 15 minutes, the last quarter of the steps decays
    Muon, matrices at twice the rate (1.36)                   -5.6 %
      three times the rate                                    -5.5 %
      the rate itself                                         -1.6 %
      2 Newton-Schulz steps instead of 3 (1.25)               -2.9 %
      2 of them at three times the rate                       -4.0 %
      momentum 0.9 instead of 0.95                            -4.4 %
      the slow group as fast as the others                    -4.8 %
      16 crops, in 0.53 of the steps                          -3.6 %
      hyper networks of 144 channels, z of 48 (1.53)          -4.3 %
      synthesis of 192/128/64 channels, 38 kMAC               -3.0 %
      two passes for all groups, 5x5 sites, 33 kMAC           -1.1 %
    SOAP, matrices at twice the rate (1.93)                   +0.5 %
  the same, 30 minutes (BD-rate against Adam after 15)
    Adam                                                      -6.2 %
    Muon, matrices at twice the rate                         -11.1 %
  from lapped-1's weights, which have -9.9 %
    Muon at twice the rate, 15 minutes                       -10.6 %
    as this file but 8 crops, drawn by pixels, 5 minutes
      and a rate of 8e-4                                      -7.0 %
      4e-4                                                    -8.6 %
      4e-4, SOAP (a step costs 1.4 of Muon's)                 -8.8 %
      4e-4, each photograph once per epoch                    -9.0 %
      4e-4, 2 crops of 256                                    -8.5 %
    lapped-1's shape; decoder and entropy model alone, on
    rounded latents (surrogate straight), Muon, 1e-4         -11.9 %

Indented rows change Muon's first by what they say. Wider shapes lose at equal
time, and are level at equal steps in so short a time; richer contexts lose at
both. 16 crops lose at equal time, too; the long run has them for the smaller
noise at its constant rate, which no trial is long enough to show. The long run
has deeper branches, for they begin as lapped-1 does and leave it room. The last
row is a last phase for any release. Shrinking photographs
(`data.smallest_scale`) was not tried.
"""

from configs import default
from jaxlic.training.config import Config, Data, Eval, Loss, Model, Optimizer

OPTIONS = {
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
}
TINY = {
  "width": 12,
  "groups": (6,),
  "two_pass": 0,
  "predict_width": 12,
  "analysis_widths": (12, 18),
  "synthesis_widths": (18, 12, 6),
}
SLOW = (
  "forward",
  "inverse",
  "log_gain",
  "log_inverse_gain",
  "log_deviation",
)


def get_config(size: str = "published") -> default.ConfigDict:
  """Returns every field that differs from the defaults."""
  config = Config(
    # None of its weights are as small as a toy's.
    start_from="" if size == "toy" else "lapped-1",
    start_partly=True,
    log_every=100,
    checkpoint_every=500,
    data=Data(batch=16, crop=128, resident=True),
    eval=Eval(every=500, crop=256),
    optimizer=Optimizer(
      name="muon",
      learning_rate=4e-4,
      warmup_steps=200,
      matrix_factor=2.0,
      schedule="stable",
      steps=1_000_000,
      slow=SLOW,
      slow_factor=0.2,
    ),
    loss=Loss(continuous=0.25, max_norm=20.0, average_decay=0.9995),
    model=Model("lapped", OPTIONS),
  )
  return default.flags(config, size, **TINY)
