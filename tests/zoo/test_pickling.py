import copy
import copyreg
import multiprocessing
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor

import jax
import numpy as np
import pytest

from jaxlic import files, zoo
from jaxlic.errors import JaxlicError
from tests.conftest import TOY_OPTIONS, make_toy

RGB = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
NAME = "bmshj2018-factorized"


@pytest.fixture
def folder(tmp_path):
  return export(tmp_path / "codec", scale=1)


@pytest.fixture(scope="module")
def spawned():
  """A process that knows what it is sent, and nothing else."""
  with pytest.MonkeyPatch.context() as patch:
    # As the tests' own, whose arithmetic is that of another compilation.
    patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
      yield executor


def export(folder, *, scale):
  params = jax.tree.map(lambda leaf: leaf * scale, make_toy(NAME)[2])
  zoo.export(
    folder,
    name="toy",
    architecture=NAME,
    options=TOY_OPTIONS[NAME],
    params=params,
  )
  return folder


def test_a_spawned_process_writes_the_same_bytes_and_reads_them(spawned, model):
  data = files.compress(RGB, quality=5.0, model=model)
  sent = spawned.submit(files.compress, RGB, quality=5.0, model=model)
  assert sent.result() == data
  shown = spawned.submit(files.decompress, data, model=model).result()
  np.testing.assert_array_equal(shown, files.decompress(data, model=model))


@pytest.mark.slow
def test_a_spawned_process_has_ensembles(spawned, folder, tmp_path):
  members = [zoo.load(folder), zoo.load(export(tmp_path / "b", scale=1.5))]
  joined = zoo.join(
    tmp_path / "joined", name="both", members=members, lambdas=[1e-6, 1e3]
  )
  for quality in (0.0, 1.0):
    data = files.compress(RGB, quality=quality, model=joined)
    sent = spawned.submit(files.compress, RGB, quality=quality, model=joined)
    assert sent.result() == data


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_codec_comes_back_and_shares_what_is_compiled(tiny_codec, protocol):
  model = zoo.load(tiny_codec)  # one that other tests loaded may be forgotten
  back = pickle.loads(pickle.dumps(model, protocol))
  assert back._replace(params=None, tables=None) == model._replace(
    params=None, tables=None
  )
  assert back.codec is model.codec
  jax.tree.map(np.testing.assert_array_equal, back.params, model.params)
  jax.tree.map(np.testing.assert_array_equal, back.tables, model.tables)


def test_tables_that_stages_share_stay_shared():
  loaded = zoo.load()
  changed = loaded._replace(name="other")
  back = pickle.loads(pickle.dumps(changed))

  def shared(codec):
    tables = codec.tables.values()
    return [[a is b for a in tables] for b in tables]

  assert shared(back) == shared(loaded)


def test_an_embedded_codec_is_the_one_that_is_loaded():
  data = pickle.dumps(zoo.load())
  assert len(data) < 200
  assert pickle.loads(data) is zoo.load()
  assert copy.deepcopy(zoo.load()) is zoo.load()


def test_an_embedded_codec_of_another_release_is_refused():
  function, (name, fingerprint) = copyreg.dispatch_table[zoo.Trained](
    zoo.load()
  )
  for words in ((name, fingerprint ^ 1), ("lapped-0", fingerprint)):
    with pytest.raises(JaxlicError, match=f"{words[0]} 0x.* is not; use the"):
      function(*words)


def test_changed_weights_under_an_embedded_name_are_not_lost():
  loaded = zoo.load()
  changed = loaded._replace(params=jax.tree.map(np.zeros_like, loaded.params))
  back = pickle.loads(pickle.dumps(changed))
  assert all(not leaf.any() for leaf in jax.tree.leaves(back.params))


def test_a_codec_of_a_model_that_is_not_there_names_the_way_out(model):
  function, words = copyreg.dispatch_table[zoo.Trained](model)
  with pytest.raises(JaxlicError, match="import the module that registers it"):
    function(("no.such.module",), words[1], "theirs", *words[3:])


def test_a_pickle_holds_the_codec_that_its_folder_held_then(folder):
  loaded = zoo.load(folder)
  data = pickle.dumps(loaded)
  export(folder, scale=1.25)
  assert zoo.load(folder).fingerprint != loaded.fingerprint
  for gone in (False, True):
    if gone:
      shutil.rmtree(folder)
    back = pickle.loads(data)
    assert back.fingerprint == loaded.fingerprint
    jax.tree.map(np.testing.assert_array_equal, back.params, loaded.params)
