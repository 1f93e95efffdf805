"""Training: a step, its optimizer, and what a run leaves behind."""

from jaxlic.training.step import (
  AXIS,
  DISTORTIONS,
  State,
  added,
  begin_with,
  fitting,
  init_state,
  make_loss,
  make_resident_step,
  make_step,
  part_names,
  rate_distortion,
  unfitting,
  weights,
)

__all__ = [
  "AXIS",
  "DISTORTIONS",
  "State",
  "added",
  "begin_with",
  "fitting",
  "init_state",
  "make_loss",
  "make_resident_step",
  "make_step",
  "part_names",
  "rate_distortion",
  "unfitting",
  "weights",
]
