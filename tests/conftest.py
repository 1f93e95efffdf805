"""Toy sizes of every model, with weights that are random but not trivial."""

import functools
import gc
import math
import os
import shutil
import subprocess
import sys
import tempfile

import jax
import numpy as np
import pytest

from jaxlic import codec, models, training, zoo
from tests.trainer import make_trainer

# Most of the tests' time is spent in the compiler. Programs that tests start do
# without these two, and run as users run them.
jax.config.update("jax_disable_most_optimizations", True)
NO_EMITTERS = "--xla_cpu_use_fusion_emitters=false"  # saves a third
# What broadcasts or is cast says so: JAX_NUMPY_RANK_PROMOTION=raise and
# JAX_NUMPY_DTYPE_PROMOTION=strict may be set by whoever runs us.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Programs once traced stay, millions of objects that Python would search for
# garbage again and again.
gc.set_threshold(100_000, 50, 100)

TOY_OPTIONS = {
  "lapped": {"width": 12, "groups": (4, 5, 7), "two_pass": 1},
  "bmshj2018-factorized": {"width": 6, "latent": 8},
  "bmshj2018-factorized-relu": {"width": 6, "latent": 8},
  "bmshj2018-hyperprior": {"width": 6, "latent": 8},
  "mbt2018-mean": {"width": 6, "latent": 8},
  "mbt2018": {"width": 6, "latent": 8},
  "mbt2018-checkerboard": {"width": 6, "latent": 8},
  "cheng2020-anchor": {"width": 6},
  "cheng2020-attn": {"width": 6},
  "cheng2020-anchor-checkerboard": {"width": 6},
  "elic2022": {
    "width": 6,
    "latent": 8,
    "groups": (2, 3),
    "context_widths": (4, 4),
  },
  "ms2020": {
    "width": 6,
    "latent": 8,
    "slices": 2,
    "hyper_widths": (6, 7, 8),
    "slice_widths": (7, 6),
  },
  "lvqac-minnen2018": {"width": 6, "latent": 8},
  "lvqac-cheng2020": {"width": 6, "order": "checkerboard"},
  "gained": {"width": 6, "latent": 8},
  "cui2021": {"width": 6},
  "scgain": {"width": 6, "latent": 8, "hidden": 5},
  "balle2017": {"width": 6},
  "theis2017": {"width": 6, "latent": 8},
  "theis2017-mixture": {"width": 6, "latent": 8},
  "theis2017-scaled": {"width": 6, "latent": 8},
}

# Of each kind one model; the others are made of the same parts, or have fast
# tests of their own that decode what is evaluated.
KINDS = {
  "lapped",
  "bmshj2018-factorized",
  "mbt2018-mean",
  "mbt2018",
  "mbt2018-checkerboard",
  "elic2022",
  "ms2020",
  "theis2017",
}

# The last layers before latents, and before scales.
LATENT_LAYERS = [
  ["analysis", "params", "conv3"],
  ["analysis", "params", "conv"],
  ["hyper_analysis", "params", "conv2"],
  ["hyper_analysis", "params", "conv4"],
  ["hyper_synthesis", "params", "conv2"],
]


def pytest_configure(config):
  """Has the compiler do less in the processes that run tests."""
  works = hasattr(config, "workerinput")
  if not works:
    keep_programs(config)
    leave_out_emitters()
  if works or not config.getoption("numprocesses"):
    jax.device_get(jax.numpy.zeros(()))  # XLA reads its flags now, once
    restored = os.environ.pop("XLA_FLAGS", "").removesuffix(NO_EMITTERS).strip()
    os.environ |= {"XLA_FLAGS": restored} if restored else {}


def keep_programs(config):
  """Keeps what is compiled for all processes of a run, until it ends."""
  folder = tempfile.mkdtemp(prefix="jaxlic-tests-")
  config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
  # In the environment for those that are started, too.
  os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
  os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
  jax.config.update("jax_compilation_cache_dir", folder)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def leave_out_emitters():
  """Adds the flag if this XLA knows it, which ends a process otherwise."""
  flags = f"{os.environ.get('XLA_FLAGS', '')} {NO_EMITTERS}".strip()
  start = [sys.executable, "-c", "import jax; jax.numpy.zeros(())"]
  environment = os.environ | {"XLA_FLAGS": flags}
  if not subprocess.run(start, env=environment, capture_output=True).returncode:
    os.environ["XLA_FLAGS"] = flags


def make_params(model, noise=0.03, last=8.0):
  """Parameters of a model that are random but not trivial.

  Layers that start at zero would leave half the model untested, hence the
  noise. Most of the time of compiling an `init` is spent on its generators:
  only `lapped`, whose transforms start as what they are, is spared the wait by
  the one that compiles fastest; of others the kernels are drawn here.
  """
  random = np.random.default_rng(1)
  if model.spec.name == "lapped":
    start = jax.jit(model.init)(jax.random.key(0, impl="unsafe_rbg"))
  else:
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    start = jax.tree_util.tree_map_with_path(
      functools.partial(_draw, random, last), shapes
    )
  noisy = jax.tree.map(
    lambda leaf: leaf + noise * random.normal(size=leaf.shape).astype("f4"),
    jax.device_get(start),
  )
  return jax.device_put(noisy)


def _draw(random, last, path, leaf):
  """What a parameter starts at: kernels with unit gain, the last with more."""
  name, shape = path[-1].key, leaf.shape
  value = np.zeros(shape)
  if name == "kernel":
    value = random.normal(size=shape) / math.prod(shape[:-1]) ** 0.5
    if [key.key for key in path[:3]] in LATENT_LAYERS:
      value *= last  # symbols or rows that are all 0 would test little
  elif name == "gamma":  # of GDN, which holds roots
    value = 0.1**0.5 * np.eye(*shape)
  elif name in ("beta", "open"):
    value = np.ones(shape)
  elif name.startswith("matrix"):  # of factorized densities, about x / 10
    value += np.log(np.expm1(10**-0.2 / shape[1]))
  return value.astype(np.float32)


def over_devices(step):
  """A step of training over a leading axis, which stands for devices."""
  return jax.vmap(
    step, axis_name=training.AXIS, in_axes=(None, 0, 0), out_axes=None
  )


# A value of `parametrize` that is tested with the slow ones: its code runs for
# another value, too.
slow = functools.partial(pytest.param, marks=pytest.mark.slow)


@functools.cache
def make_toy(name, **options):
  """A registry model at toy size: (model, codec, params, tables).

  A file's tests share it with all that is compiled for it.
  """
  model = models.make(name, **TOY_OPTIONS[name] | options)
  params, built = make_params(model), codec.make(model)
  return model, built, params, built.freeze(params)


@pytest.fixture(
  params=[
    pytest.param(n, marks=pytest.mark.newest) if n in KINDS else slow(n)
    for n in sorted(models.MODELS)
  ]
)
def toy(request):
  """Every model of the registry in turn, at toy size."""
  return make_toy(request.param)


@pytest.fixture(scope="session")
def tiny_codec(tmp_path_factory):
  """The folder of an exported codec: the toy of `lapped`, untrained."""
  folder = str(tmp_path_factory.mktemp("codec") / "tiny")
  zoo.export(
    folder,
    name="tiny",
    architecture="lapped",
    options=TOY_OPTIONS["lapped"],
    params=make_toy("lapped")[2],
  )
  return folder


@pytest.fixture(scope="session")
def model(tiny_codec):
  """That codec, loaded."""
  return zoo.load(tiny_codec)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
  """Starts train.py in a folder that a file's tests share."""
  return make_trainer(tmp_path_factory.mktemp("train"))


@pytest.fixture
def no_process_outlives_its_test(trainer):
  yield
  trainer.end()
