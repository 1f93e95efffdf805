"""Options that a model cannot have are told in one line, before it is made."""

import inspect

import jax
import numpy as np
import pytest

from jaxlic import models
from jaxlic.errors import JaxlicError
from jaxlic.models import (
  balle2017,
  bmshj2018,
  cheng2020,
  cui2021,
  lvqac,
  mbt2018,
  ms2020,
  scgain,
)
from tests.conftest import TOY_OPTIONS, slow

# Codecs are written as JSON, which holds no numbers of NumPy.
NUMBERS = [0, -3, "8", 2.0, True, (8,), float("nan"), np.int64(8)]
LISTS = [(), (0, 4), (-1, 4), (2.5, 4), ("4", 4), 8, "88", None]
WEIGHTS = [("a", "b"), ("0.1", "0.2"), 0.01, None, (float("nan"), 1.0)]
NAMES = ["x", "", None, 1, ("sqrt",), {"a": 1}]
# Values that no model takes, by the name of the option.
WRONG = {
  "quality": [0, 9, -1, "4", 1.5, True, None],
  "width": NUMBERS,
  "latent": NUMBERS,
  "hidden": [*NUMBERS, None],
  "components": [*NUMBERS, None],
  "slices": [*NUMBERS, None],
  "block": NUMBERS,
  "predict_width": NUMBERS,
  "two_pass": [-1, 4, "1", 1.0, True, None],
  "support": [-1, "1", 1.0, True, None],
  "predict_layers": [-1, "1", 1.0, True, None],
  "open_at_first": [-1, 9, "1", 1.0, True, None],
  "reach": [0, 2, -1, "3", 3.0, True, None],
  "groups": [*LISTS, (400, 400)],
  "context_widths": [*LISTS, (4,), (4, 4, 4)],
  "hyper_widths": [*LISTS, (4,), (4, 4), (4, 4, 4, 4)],
  "slice_widths": LISTS,
  "analysis_widths": [(), (4,), (4, 0), (4, 4, 4), 4, "44"],
  "synthesis_widths": [(), (4, 4), (4, 4, 0), 4, "444"],
  "analysis_blocks": [(), (1,), (1, -1), (1, 1, 1), 1, "11", None],
  "synthesis_blocks": [(), (1, 1), (1, 1, -1), 1, "111", None],
  "lambdas": WEIGHTS,
  "ms_ssim_lambdas": WEIGHTS,
  "attention": [1, 0, "yes", None],
  "follow": [1, 0, "yes", None],
  "grey": [1, 0, "yes", None],
  "normalize_latent": [1, 0, "yes", None],
  "norm": [
    "x",
    "",
    1,
    ("sqrt",),
    {"a": 1},
    {"beta_min": 1e-5},
    {"preset": "x"},
    {"preset": ["sqrt"]},
    {"preset": "sqrt", "beta": 1.0},
    {"preset": "sqrt", "beta_min": 0.0},
    {"preset": "sqrt", "root": "yes"},
    {1: 2},
  ],
  "order": NAMES,
  "surrogate": NAMES,
  "dtype": [*NAMES, "float64", np.float32],
  "padding": NAMES,
  "density": NAMES,
  "rated": NAMES,
  "lattice": NAMES,
  "coset": NAMES,
  "companding": NAMES,
  "hyper_input": NAMES,
  "backbone": NAMES,
  "name": [None, 1, ("a",)],
}


def options_of(name):
  """The options of a model, but for those that it hands on."""
  parameters = inspect.signature(models.MODELS[name]).parameters.values()
  return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


CASES = [(n, option) for n in models.MODELS for option in options_of(n)]


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_value_that_an_option_cannot_have_is_told_in_one_line(name, option):
  for value in WRONG[option]:
    options = TOY_OPTIONS[name] | {option: value}
    with pytest.raises(JaxlicError) as raised:
      models.make(name, **options)
    line = str(raised.value)
    assert option in line and "\n" not in line, (value, line)
    assert repr(value) in line and "; " in line, (value, line)


@pytest.mark.parametrize("name", models.MODELS)
def test_defaults_and_toy_sizes_break_no_rule(name):
  models.make(name)
  models.make(name, **TOY_OPTIONS[name])


@pytest.mark.parametrize(
  ("name", "options", "match"),
  [
    (
      "lapped",
      {"width": 0},
      "^lapped: width is a whole number from 4 in steps",
    ),
    ("lapped", {"width": 5}, "steps of 2, got 5; correct it$"),
    (
      "mbt2018",
      {"norm": "x"},
      "norm is one of sqrt, simplified, square, or {'preset': one of them, "
      "CONSTANT: value} with beta_init, .* True or False, got 'x'; correct it$",
    ),
    (
      "bmshj2018-factorized",
      {"norm": {"preset": "sqrt", "offset": 0}},
      "offset above 0; .*, or None, got {'preset': 'sqrt', 'offset': 0}; corr",
    ),
    ("mbt2018", {"dtype": "x"}, "dtype is one of float32, bfloat16, got 'x'"),
    ("mbt2018", {"quality": 9}, "quality is a whole number from 1 to 8, got 9"),
    (
      "gained",
      {"width": "8"},
      "^gained with mbt2018-mean: width is a whole number from 1",
    ),
    ("gained", {"nope": 8}, "^gained with mbt2018-mean takes the options q"),
    ("gained", {"backbone": "lapped"}, "backbone is one of bmshj2018"),
  ],
)
def test_the_line_has_the_rule_the_value_and_the_way_out(name, options, match):
  with pytest.raises(JaxlicError, match=match):
    models.make(name, **options)


def test_options_of_a_model_from_outside_are_its_own(monkeypatch):
  def make(*, width: str = "wide", norm: object = None):
    return bmshj2018.make_factorized(name=f"{width} {norm}")

  monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
  models.register("theirs", make)
  assert models.make("theirs", width="8", norm=0).spec.name == "8 0"
  with pytest.raises(JaxlicError, match="theirs takes the options width, norm"):
    models.make("theirs", latent=3)


@pytest.mark.parametrize(
  "make",
  [
    bmshj2018.make_factorized,
    bmshj2018.make_hyperprior,
    mbt2018.make_mean,
    ms2020.make,
    balle2017.make,
    cheng2020.make,
    cui2021.make,
    lvqac.make_cheng,
    scgain.make,
  ],
)
def test_a_maker_by_itself_refuses_what_is_no_form_of_normalization(make):
  with pytest.raises(JaxlicError, match="sqrt, simplified, square, got 'x'; "):
    make(norm="x")
  with pytest.raises(JaxlicError, match="got offset = 0; correct it$"):
    make(norm={"preset": "sqrt", "offset": 0})


@pytest.mark.parametrize(
  "name",
  [
    slow(name)
    for name in sorted(models.MODELS)
    if name != "balle2017" and "norm" in models.options(name)
  ]
  + ["balle2017"],
)
def test_a_form_of_normalization_reaches_every_layer(name):
  # Each keeps beta as the root of what it is, and starts at it.
  norm = {"preset": "sqrt", "beta_init": 4.0, "offset": 1e-6}
  init = models.make(name, **TOY_OPTIONS[name], norm=norm).init
  leaves = jax.tree_util.tree_leaves_with_path(init(jax.random.key(0)))
  betas = [leaf for path, leaf in leaves if path[-1].key == "beta"]
  assert len(betas) >= 4
  for beta in betas:
    np.testing.assert_allclose(beta, 2.0, rtol=1e-6)
