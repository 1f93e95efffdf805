"""Every configuration: that it fits, and one step at its toy size."""

import importlib
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

import jaxlic
from configs import default
from jaxlic import codec, models, training
from jaxlic.errors import JaxlicError
from jaxlic.training.config import check
from tests.conftest import make_params, over_devices, slow

ROOT = Path(jaxlic.__file__).parents[1]
FOLDER = ROOT / "configs"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
NAMES.remove("default")
COMPARED = sorted(path.stem for path in FOLDER.glob("comparisons/*.py"))


def get(name, size):
  return importlib.import_module(f"configs.{name}").get_config(size)


def test_every_model_has_a_configuration():
  assert {get(name, "published").model.name for name in NAMES} == set(
    models.MODELS
  )


@pytest.mark.parametrize("name", NAMES)
def test_the_published_size_fits_its_model_and_training(name):
  config = get(name, "published")
  model = models.make(config.model.name, **config.model.options)
  check(config, model, devices=1)
  training.make_optimizer(config.optimizer, model.spec)


def test_commands_name_a_configuration_before_they_change_its_fields():
  # Else train.py refuses them, for it does not know which fields there are.
  pages = [*FOLDER.rglob("*.py"), *(ROOT / "docs").glob("*.md")]
  pages += [ROOT / "README.md", *(ROOT / "benchmarks").glob("*.md")]
  found = 0
  for page in pages:
    text = page.read_text().replace("\\\n", " ")
    for command in re.findall(r"train\.py [^\n]*", text):
      flags = re.findall(r"--config[.=]", command)
      found += "--config=" in flags
      assert "--config=" not in flags[1:], f"{page.name}: {command}"
  assert found > 20


def test_the_mixtures_crops_are_of_four_sizes_resized_to_one():
  # The README of twitter_compression, whose data they are.
  data = get("theis2017_mixture", "published").data
  assert (data.crop_sizes, data.crop) == ((128, 256, 512, 1024), 128)


@pytest.mark.parametrize("size", ["published", "toy"])
@pytest.mark.parametrize("name", models.BACKBONES)
def test_every_backbone_has_a_gained_configuration(name, size):
  config = get("gained", f"{name}:{size}")
  model = models.make(config.model.name, **config.model.options)
  check(config, model, devices=1)
  assert model.spec.levels == 8


def test_an_unknown_backbone_is_refused():
  with pytest.raises(JaxlicError, match="a backbone is one of .* got 'lapped'"):
    get("gained", "lapped")


@pytest.mark.parametrize("name", COMPARED)
def test_compared_models_fit_their_training(name):
  module = importlib.import_module(f"configs.comparisons.{name}")
  for word in getattr(module, "NAMES", getattr(module, "MODELS", [None])):
    config = module.get_config(word) if word else module.get_config()
    model = models.make(config.model.name, **config.model.options)
    check(config, model, devices=1)


def toy(name):
  """A configuration, its model in bfloat16, and parameters of it."""
  config = get(name, "toy")
  config.dtype = "bfloat16"
  model = models.make(
    config.model.name, dtype=config.dtype, **config.model.options
  )
  check(config, model, devices=1)
  # Hyper latents that round to 0 pass no ReLU whose bias is 0: hence noise.
  params = make_params(model, last=1.0)
  return config, model._replace(init=lambda _: params), params


# What their parts are like, which compiling them again would take a minute for.
ALIKE = {
  "bmshj2018_factorized_relu": "bmshj2018_factorized",
  "cheng2020_anchor_checkerboard": "cheng2020_anchor",
  "gained": "mbt2018_mean, and training/test_loss.py",
  "lvqac_cheng2020": "lvqac_minnen2018 and cheng2020_anchor",
  "mbt2018_checkerboard": "mbt2018",
  "theis2017_scaled": "theis2017, and a step below",
}


def crops(config):
  side = config.data.crop
  values = np.random.default_rng(0).integers(0, 256, (2, side, side, 3))
  return jnp.asarray(values, jnp.uint8)


# Of the parts that most models are made of.
FAST = ("mbt2018", *ALIKE)


@pytest.mark.parametrize("name", [n if n in FAST else slow(n) for n in NAMES])
def test_every_part_of_the_toy_has_a_gradient_in_bfloat16(name):
  config, model, params = toy(name)
  loss = training.make_loss(model, codec.make(model), config.loss)
  keys = jax.random.split(jax.random.key(0), 2)
  images = crops(config)

  @jax.jit
  def run(params):
    return jax.value_and_grad(loss, has_aux=True)(params, images, keys, 1.0)

  if name in ALIKE:
    _, gradient = jax.eval_shape(run, params)
    shapes, expected = (jax.tree.map(jnp.shape, x) for x in (gradient, params))
    assert shapes == expected
    return
  (value, parts), gradient = run(params)
  assert np.isfinite(value) and np.isfinite(parts["bpp"])
  for group, part in gradient.items():
    leaves = jax.tree.leaves(part)
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    assert all(np.isfinite(leaf).all() for leaf in leaves), group
    assert any(np.any(leaf) for leaf in leaves), group


# Those with parts of the optimizer to themselves, and the fastest of the rest.
@pytest.mark.parametrize(
  "name", ["bmshj2018_factorized", slow("theis2017"), slow("theis2017_scaled")]
)
def test_the_toy_takes_a_step_in_bfloat16(name):
  config, model, params = toy(name)
  optimizer = training.make_optimizer(config.optimizer, model.spec)

  def run(images, index):
    state = training.init_state(model, optimizer, config)
    step = training.make_step(model, codec.make(model), optimizer, config)
    return over_devices(step)(state, images, index)

  state = jax.jit(run)(crops(config)[None], np.arange(2, dtype=np.uint32)[None])
  assert (state.step, state.skipped, state.totals["steps"]) == (1, 0, 1)
  assert np.isfinite(state.totals["loss"])
  types = {leaf.dtype for leaf in jax.tree.leaves(state.params)}
  assert types == {jnp.dtype("float32")}
  # Adam's second moments tell what had a gradient.
  learns = dict.fromkeys(params, False)
  for path, leaf in jax.tree_util.tree_leaves_with_path(state.optimizer):
    names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
    if "nu" in names:
      learns[names[names.index("nu") + 1]] |= bool(np.any(leaf))
  assert {group for group, moves in learns.items() if moves} == set(
    config.optimizer.only or params
  ) - {"mask"}


@pytest.mark.parametrize(
  ("field", "value", "match"),
  [
    ("data.crop", 100, "a multiple of the model's stride, 16, got 100"),
    ("data.crop", 0, "data.crop is positive, got 0"),
    ("data.batch", -8, "data.batch is positive, got -8"),
    ("data.threads", -1, "data.threads is 0 or more, got -1"),
    ("optimizer.learning_rate", 0.0, "learning_rate is positive, got 0.0"),
    ("accumulate", 3, "batch is a multiple of the devices times accumulate, 3"),
    ("data.smallest_scale", 1.5, "above 0, and 1 at most, got 1.5"),
    ("optimizer.steps", 1, "above optimizer.warmup_steps, 1, got 1"),
    ("checkpoint_every", 0, "checkpoint_every is positive"),
    ("log_every", 2, "checkpoint_every is a multiple of log_every, 2, got 5"),
    ("eval.every", 7, "eval.every is a multiple of checkpoint_every, 5"),
    ("loss.temperature_steps", 0, "temperature_steps is positive, got 0"),
    ("loss.temperature_end", 0.0, "temperature_end is positive, got 0.0"),
    ("loss.average_decay", 1.0, "from 0 to 1, without 1, got 1.0"),
    ("loss.max_skipped", 0, "max_skipped is positive, got 0"),
    ("optimizer.window", 0, "optimizer.window is positive, got 0"),
    ("optimizer.patience", 0, "optimizer.patience is positive, got 0"),
    ("optimizer.slow", ("analysi",), "out of analysis, .*, got analysi; "),
    ("optimizer.only", ("scale",), "optimizer.only has names out of .* scale;"),
    ("optimizer.delay", 0, "optimizer.delay is positive, got 0"),
    ("optimizer.open_factor", 0.0, "open_factor is positive, got 0.0"),
    ("optimizer.open_window", -1, "open_window is 0 or more, got -1"),
    ("optimizer.open_threshold", -0.1, "threshold is 0 or more, got -0.1"),
    ("optimizer.open_window", 9, "without a mask, got 9; set it to 0, or"),
    ("optimizer.momentum", 1.0, "from 0 to 1, without 1, got 1.0"),
    ("optimizer.newton_schulz", 0, "newton_schulz is positive, got 0"),
    ("optimizer.matrix_factor", 0.0, "matrix_factor is positive, got 0.0"),
    ("data.smallest_side", -1, "smallest_side is 0 or more, got -1"),
    ("data.limit", -1, "data.limit is 0 or more, got -1"),
    ("data.crop_sizes", (128, 63), "of data.crop, 64, or more, got .128, 63.;"),
    ("data.crop_sizes", ("a",), r"data.crop_sizes is whole numbers of data."),
    (
      "data.crop_sizes",
      (128,),
      "smallest_scale is 1 with data.crop_sizes, got",
    ),
    ("eval.split", 2, "eval.split is 0 with eval.folder, got 2; correct it"),
    ("eval.split", -1, "eval.split is 0 or more, got -1"),
    ("data.dispatch", 5, "data.dispatch is 1 unless data.resident, got 5"),
    ("data.draw", "pixels", "epochs unless data.resident, got pixels"),
    ("loss.distortion", "ms-ssim", "data.crop is 161 or more for MS-SSIM"),
    ("loss.lambdas", (0.1, 0.2), "needs 1 weights of mse, got 2"),
  ],
)
def test_what_makes_no_sense_is_one_line(field, value, match):
  config = get("bmshj2018_factorized", "toy")
  config.eval.folder = "held"
  config.update_from_flattened_dict({field: value})
  model = models.make(config.model.name, **config.model.options)
  with pytest.raises(JaxlicError, match=match):
    check(config, model, devices=1)


@pytest.mark.parametrize(
  ("fields", "match"),
  [
    (
      {"data.resident": True, "data.dispatch": 5},
      "log_every is a multiple of data.dispatch, 5, got 1",
    ),
    (
      {"data.resident": True, "data.dispatch": 4, "log_every": 4},
      "optimizer.steps is a multiple of data.dispatch, 4, got 10",
    ),
    ({"data.resident": True, "data.draw": "all"}, "epochs or pixels, got all"),
    (
      {"optimizer.schedule": "stable", "optimizer.decay_steps": 10},
      "from 0 to the 9 steps after the warm-up, got 10",
    ),
  ],
)
def test_fields_that_do_not_fit_each_other_are_one_line(fields, match):
  config = get("bmshj2018_factorized", "toy")
  config.update_from_flattened_dict(fields)
  model = models.make(config.model.name, **config.model.options)
  with pytest.raises(JaxlicError, match=match):
    check(config, model, devices=1)


def test_evaluations_of_a_split_have_their_steps_checked():
  config = get("bmshj2018_factorized", "toy")
  config.eval.split, config.eval.every = 2, 7
  model = models.make(config.model.name, **config.model.options)
  with pytest.raises(JaxlicError, match="eval.every is a multiple of check"):
    check(config, model, devices=1)


def test_evaluations_that_never_come_may_be_at_any_step():
  config = get("bmshj2018_factorized", "toy")
  config.eval.every = 7
  model = models.make(config.model.name, **config.model.options)
  check(config, model, devices=1)


def test_an_unknown_size_is_an_error():
  with pytest.raises(JaxlicError, match="published or toy, got 'big'"):
    get("lapped", "big")


def test_defaults_lack_only_the_model():
  config = default.get_config()
  assert isinstance(config, ml_collections.ConfigDict)
  assert set(get("lapped", "published")) - set(config) == {"model"}
