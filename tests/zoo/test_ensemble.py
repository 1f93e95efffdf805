"""Several codecs as one, in Python and on the command line."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import jaxlic
from jaxlic import cli, files, models, zoo
from jaxlic.coding import container, range_coder
from jaxlic.errors import JaxlicError
from jaxlic.types import ModelSpec, Payload
from jaxlic.zoo import ensemble
from tests.conftest import TOY_OPTIONS, make_params, make_toy

NAMES = ("theis2017", "bmshj2018-factorized")


def picture(height, width):
  random = np.random.default_rng(height)
  return random.integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def members(tmp_path_factory):
  """The folders of two codecs of one rate, and their ensemble's."""
  root = tmp_path_factory.mktemp("ensemble")
  folders = []
  for name in NAMES:
    params = jax.tree.map(lambda leaf: leaf, make_toy(name)[2])
    if name == "theis2017":
      # It shows grey, which is nearer to noise than what the other shows, but
      # its latents cost more.
      last = params["synthesis"]["params"]["conv2"]["conv"]
      last["kernel"] = 0 * last["kernel"]
    folders.append(str(root / name))
    zoo.export(
      folders[-1],
      name=name,
      architecture=name,
      options=TOY_OPTIONS[name],
      params=params,
    )
  return folders


@pytest.fixture(scope="module")
def joined(members, tmp_path_factory):
  folder = str(tmp_path_factory.mktemp("joined") / "both")
  loaded = [jaxlic.load(member) for member in members]
  return zoo.join(folder, name="both", members=loaded, lambdas=[1e-6, 1e3])


def alone(members, image):
  """What each member makes of an image: (bits, squared error, file)."""
  rows = []
  for member in members:
    trained = jaxlic.load(member)
    data = files.compress(image, model=trained)
    outcome = trained.codec.evaluate(
      trained.params, image / np.float32(255), 0.0
    )
    error = np.asarray(outcome.image) - image / 255
    rows.append((sum(outcome.bits.values()), (error**2).mean(), data))
  return rows


def test_the_best_member_codes_and_a_byte_names_it(members, joined):
  image = picture(40, 31)
  rows = alone(members, image)
  # So little weight has the error at quality 0, and so much at quality 1.
  cheapest = int(np.argmin([bits for bits, _, _ in rows]))
  nearest = int(np.argmin([error for _, error, _ in rows]))
  assert cheapest != nearest
  for quality, best in ((0.0, cheapest), (1.0, nearest)):
    payload = joined.codec.encode(
      joined.params, joined.tables, image / np.float32(255), quality
    )
    assert payload.quality == quality
    alone_payload = container.unpack(rows[best][2]).payload
    assert payload.data == bytes([best]) + alone_payload.data
    # Which files of version 1 keep folded.
    assert range_coder.fold(payload.check) == alone_payload.check


@pytest.mark.parametrize("quality", [0.0, 0.5, 1.0])
def test_what_is_decoded_is_what_was_evaluated(joined, quality):
  image = picture(17, 24)
  samples = image / np.float32(255)
  estimate = joined.codec.evaluate(joined.params, samples, quality)
  payload = joined.codec.encode(joined.params, joined.tables, samples, quality)
  decoded = joined.codec.decode(joined.params, joined.tables, payload)
  np.testing.assert_array_equal(decoded, estimate.image)
  assert estimate.bits["member"] == 8.0
  data = files.compress(image, quality=quality, model=joined)
  shown = files.decompress(data, model=joined)
  expected = np.round(255 * np.asarray(estimate.image)).astype(np.uint8)
  np.testing.assert_array_equal(shown, expected)


@pytest.mark.slow
def test_qualities_between_weigh_geometric_means(members):
  image = picture(24, 24)
  (bits, error, _), (fewer, worse, _) = alone(members, image)
  # The weight at which both members cost the same.
  equal = (bits - fewer) / 24**2 / (255**2 * (worse - error))
  loaded = [jaxlic.load(member) for member in members]
  member_models = [models.make(m.architecture, **m.options) for m in loaded]
  params = {str(k): m.params for k, m in enumerate(loaded)}
  tables = ensemble.join_tables([m.tables for m in loaded])
  # Arithmetic means would be 5 times, and half of that weight.
  for lambdas, best in (((0.01, 10.0), 1), ((0.9, 20.0), 0)):
    weights = [float(equal * value) for value in lambdas]
    spec = ensemble.spec_of([m.spec for m in member_models], weights)
    both = ensemble.make(spec, member_models)
    payload = both.encode(params, tables, image / np.float32(255), 0.5)
    assert payload.data[0] == best


def test_a_member_in_single_precision_keeps_it(members, tmp_path):
  name = NAMES[1]
  single = zoo.export(
    tmp_path / "single",
    name="single",
    architecture=name,
    options=TOY_OPTIONS[name],
    params=make_toy(name)[2],
    dtype="float32",
  )
  both = zoo.join(
    tmp_path / "both",
    name="both",
    members=[jaxlic.load(members[0]), single],
    lambdas=[0.01, 0.1],
  )
  jax.tree.map(np.testing.assert_array_equal, both.params["1"], single.params)


@pytest.mark.slow
def test_members_of_many_rates_code_at_the_ensemble_s_quality():
  model, built, params, tables = make_toy("theis2017-scaled")
  other = make_params(model, noise=0.05)
  spec = ensemble.spec_of([model.spec, model.spec])
  assert spec.lambdas == model.spec.lambdas and spec.levels == 3
  both = ensemble.make(spec, [model, model])
  both_params = {"0": params, "1": other}
  tables = both.freeze(both_params)
  assert set(tables) == {"0.y", "1.y"}
  image = picture(16, 16) / np.float32(255)
  payload = both.encode(both_params, tables, image, 1.25)
  k = payload.data[0]
  alone_payload = built.encode(
    both_params[str(k)], {"y": tables[f"{k}.y"]}, image, 1.25
  )
  assert payload == alone_payload._replace(data=bytes([k]) + alone_payload.data)
  np.testing.assert_array_equal(
    both.decode(both_params, tables, payload),
    both.evaluate(both_params, image, 1.25).image,
  )


def test_an_ensemble_is_not_trained_as_a_whole(joined):
  with pytest.raises(JaxlicError, match="train its members, and join them"):
    joined.codec.apply(joined.params, None, None, None)
  image = np.zeros((8, 8, 3), np.float32)
  for function in (joined.codec.quantize, jax.jit(joined.codec.evaluate)):
    with pytest.raises(JaxlicError, match="chooses a member .* one by one"):
      function(joined.params, image)


@pytest.mark.parametrize(
  ("data", "match"),
  [(b"", "one of 2 members, got no byte"), (b"\x02", "members, got 2; the")],
)
def test_a_file_that_names_no_member_is_refused(joined, data, match):
  with pytest.raises(JaxlicError, match=match):
    joined.codec.decode(
      joined.params, joined.tables, Payload(8, 8, 0.0, 0, data)
    )


ONE = ModelSpec("one", 8, lambdas=(0.01,))
TWO = ModelSpec("two", 16, lambdas=(0.1,))
MANY = ModelSpec("many", 8, levels=3, lambdas=(0.01, 0.1, 1.0))
MAP = ModelSpec("map", 8, levels=2, lambdas=(0.01, 0.1), takes_map=True)


def test_lambdas_are_the_members_unless_they_are_given():
  assert ensemble.spec_of([TWO, ONE]).lambdas == (0.01, 0.1)
  assert ensemble.spec_of([TWO, ONE]).stride == 16
  assert ensemble.spec_of([ONE, MANY, TWO]).lambdas == MANY.lambdas
  assert ensemble.spec_of([ONE, TWO], [1.0, 2.0, 3.0]).levels == 3


@pytest.mark.parametrize(
  ("specs", "lambdas", "match"),
  [
    ([ONE], (), "has 2 to 256 members, got 1"),
    ([ONE, ONE], (), "all of these have 0.01; give lambdas, one for each"),
    ([ONE, TWO], (0.1, float("inf")), "an ensemble has 2 levels or more"),
    ([ONE, TWO], (0.1, float("nan")), "an ensemble has 2 levels or more"),
    ([ONE, TWO], (0.2, 0.1), "ascending lambdas above 0"),
    ([ONE, MANY], (0.1, 0.2), "the ensemble's 2 levels, many has 3"),
    ([ONE, MAP], (), "take no quality map, map does"),
  ],
)
def test_members_that_do_not_fit_are_refused(specs, lambdas, match):
  with pytest.raises(JaxlicError, match=match):
    ensemble.spec_of(specs, lambdas)


def test_a_member_is_no_ensemble(joined, tmp_path):
  with pytest.raises(JaxlicError, match="no ensembles; give the members"):
    zoo.join(tmp_path / "a", name="a", members=[joined, joined])
  assert not (tmp_path / "a").exists()


def test_the_command_line_joins_codecs(members, tmp_path, capsys):
  folder = str(tmp_path / "both")
  words = ["ensemble", folder, *members, "--lambdas", "0.01,0.1"]
  assert cli.main(words) == 0
  assert "a codec named both, fingerprint 0x" in capsys.readouterr().out
  about = json.loads((tmp_path / "both" / "codec.json").read_text())
  assert about["architecture"] == "ensemble"
  Image.fromarray(picture(20, 20)).save(tmp_path / "a.png")
  paths = [str(tmp_path / name) for name in ("a.png", "a.jlic", "b.png")]
  assert cli.main(["compress", *paths[:2], "--model", folder]) == 0
  assert cli.main(["decompress", *paths[1:], "--model", folder]) == 0
  with Image.open(paths[2]) as shown:
    assert shown.size == (20, 20)
  before = (tmp_path / "both" / "codec.json").read_bytes()
  assert cli.main(["ensemble", folder, *members]) == 2
  assert "holds no codec yet" in capsys.readouterr().err
  assert (tmp_path / "both" / "codec.json").read_bytes() == before
  assert cli.main(["ensemble", str(tmp_path / "one"), members[0]]) == 2
  assert "has 2 to 256 members, got 1" in capsys.readouterr().err


def test_members_keep_their_tables_and_weights(members, joined):
  for k, member in enumerate(members):
    trained = jaxlic.load(member)
    for stage, table in trained.tables.items():
      for kept, array in zip(joined.tables[f"{k}.{stage}"], table, strict=True):
        np.testing.assert_array_equal(kept, array)
    jax.tree.map(
      np.testing.assert_array_equal, joined.params[str(k)], trained.params
    )
