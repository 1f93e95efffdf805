import jax
import numpy as np
import pytest

from jaxlic import entropy
from jaxlic.entropy import arguments
from jaxlic.errors import JaxlicError
from tests.entropy.entropy_models import MAKERS, frozen, prediction

Y = np.zeros((2, 3), np.float32)
ONES = np.ones((2, 3), np.float32)

MADE = [
  (lambda: entropy.bottleneck(0), "channels are an integer from 1 up, got 0"),
  (lambda: entropy.bottleneck(True), "from 1 up, got True; give that of y's"),
  (lambda: entropy.bottleneck(3, filters=(3, 0)), r"filters are .*\(3, 0\)"),
  (lambda: entropy.bottleneck(3, init_scale=0), "init_scale is within 0.001"),
  (lambda: entropy.bottleneck(3, tail_mass=0.5), "tail_mass is .* got 0.5"),
  (lambda: entropy.gaussian([2.0, 1.0]), "scales of a table are above 0"),
  (
    lambda: entropy.gaussian("wide"),
    "scale table is a list of numbers, got 'w",
  ),
  (lambda: entropy.gaussian([1, [2]]), r"list of numbers, got \[1, \[2\]\]; "),
  (lambda: entropy.gaussian([]), "has 1 to 256 scales"),
  (lambda: entropy.asymmetric([-1.0]), "scales of a table are above 0"),
  (lambda: entropy.gaussian(tail_mass=float("nan")), "got nan; choose one"),
  (lambda: entropy.mixture(coder="huffman"), "range or ans, got 'huffman'"),
  # Of types that no annotation has.
  (lambda: arguments.check_channels("3"), "from 1 up, got '3'; give that of"),
  (lambda: arguments.check_filters(3), "a tuple of integers from 1 up, got 3;"),
  (lambda: arguments.check_tail("0.1"), "tail_mass is within .* got '0.1'; "),
]


@pytest.mark.parametrize(("make", "match"), MADE)
def test_arguments_out_of_range_are_refused(make, match):
  with pytest.raises(JaxlicError, match=match):
    make()


QUANTIZED = [
  ({"mode": "round"}, "noise, dequantize, symbols, got 'round'; choose"),
  ({"mode": "noise"}, "drawn from a key, got None"),
  ({"mode": "symbols", "means": ONES[:1]}, r"shape \[2, 3\] .* got \[1, 3\]"),
  ({"mode": "symbols", "means": 1.0}, "means is an array .* got float"),
]


@pytest.mark.parametrize(("keywords", "match"), QUANTIZED)
def test_what_cannot_be_quantized_is_refused(keywords, match):
  with pytest.raises(JaxlicError, match=match):
    entropy.gaussian().quantize(Y, **keywords)


def test_a_mixture_has_no_means_to_round_around():
  with pytest.raises(JaxlicError, match="several means.* leave them out"):
    entropy.mixture().quantize(Y, "symbols", means=ONES)


RATED = [
  ("gaussian", Y, {}, "predicted by scales, maybe means, got nothing"),
  ("gaussian", Y, {"scale": ONES}, "got scale; give the former by keyword"),
  ("bottleneck", Y, {"scales": ONES}, "predicted by nothing, got scales"),
  ("mixture", Y, {"scales": ONES}, "scales, means, logits, got scales"),
  ("gaussian", Y, {"scales": ONES[0]}, r"shape \[2, 3\] here.* got \[3\]"),
  ("asymmetric", Y, {"scales": ONES}, r"shape \[2, 3, 2\] here.* \[2, 3\]"),
  ("bottleneck", Y[:, :2], {}, r"has 3 channels.* got \[2, 2\]"),
  ("bottleneck", [0.0, 0.0], {}, "y is an array .* got list"),
  ("bottleneck", np.float32(0), {}, "y is an array .* got float32"),
  ("bottleneck", Y > 0, {}, r"real numbers, got bool \[2, 3\]"),
]


@pytest.mark.parametrize(("name", "y", "known", "match"), RATED)
def test_arrays_that_do_not_fit_are_refused(name, y, known, match):
  model, (params, tables) = MAKERS[name](), frozen(name)
  with pytest.raises(JaxlicError, match=match):
    model.bits(params, y, **known)
  with pytest.raises(JaxlicError, match=match):
    model.compress(tables, y, **known)


def test_a_mixture_of_unequal_parts_is_refused():
  known = prediction("mixture", (2, 3))
  known["logits"] = known["logits"][..., :1]
  with pytest.raises(JaxlicError, match=r"logits has the shape \[2, 3, 2\]"):
    entropy.mixture().bits({}, Y, **known)
  empty = {name: array[..., :0] for name, array in known.items()}
  with pytest.raises(JaxlicError, match="1 component or more"):
    entropy.mixture().bits({}, Y, **empty)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e9, -3e9])
def test_values_that_are_no_symbols_are_refused(value):
  model, (_, tables) = MAKERS["gaussian"](), frozen("gaussian")
  with pytest.raises(JaxlicError, match="is finite, and within"):
    model.compress(tables, np.full((2, 3), value), scales=ONES)
  with pytest.raises(JaxlicError, match="is finite, and within"):
    model.compress(tables, Y, scales=ONES, means=np.full((2, 3), value))


@pytest.mark.parametrize(
  ("name", "part"),
  [
    ("gaussian", "scales"),
    ("asymmetric", "scales"),
    ("mixture", "means"),
    ("mixture", "logits"),
  ],
)
def test_a_prediction_that_is_no_number_is_refused(name, part):
  known = prediction(name, (2, 3))
  known[part][1, 2] = np.nan
  match = f"{part} are numbers, got [123] that are NaN; mend"
  with pytest.raises(JaxlicError, match=match):
    MAKERS[name]().compress(frozen(name)[1], Y, **known)


def test_a_component_of_a_mixture_may_have_no_weight():
  known = prediction("mixture", (2, 3))
  known["logits"][..., 1] = -np.inf
  model, (_, tables) = MAKERS["mixture"](), frozen("mixture")
  data = model.compress(tables, Y, **known)
  np.testing.assert_array_equal(model.decompress(tables, data, **known), Y)


def test_tables_of_another_model_are_refused():
  y, known = Y, {"scales": ONES}
  for other in ("bottleneck", "gaussian of a table", "asymmetric", "mixture"):
    with pytest.raises(JaxlicError, match="no tables of this Gaussian, got Fr"):
      entropy.gaussian().compress(frozen(other)[1], y, **known)
  with pytest.raises(JaxlicError, match="of 64 rows; give those of its freeze"):
    entropy.bottleneck(3).decompress(frozen("gaussian")[1], b"", (1, 3))
  with pytest.raises(JaxlicError, match="of this Gaussian, got Tables of 64"):
    entropy.gaussian().compress(frozen("gaussian")[1].tables, y, **known)


def test_parameters_of_another_model_are_refused():
  params = frozen("bottleneck")[0]
  with pytest.raises(JaxlicError, match=r"no parameters of this bottleneck"):
    entropy.bottleneck(4).bits(params, np.zeros((1, 4)))
  with pytest.raises(JaxlicError, match=r"this Gaussian, got .* \[\(3,\)\]"):
    entropy.gaussian().freeze(params)
  with pytest.raises(JaxlicError, match="a dictionary, got Frozen; give that"):
    entropy.bottleneck(3).bits(frozen("bottleneck")[1], Y)
  with pytest.raises(JaxlicError, match="a dictionary, got NoneType; give"):
    entropy.bottleneck(3).freeze(None)


@pytest.mark.parametrize("data", [None, "bytes", [0] * 8])
def test_what_is_no_bytes_is_refused(data):
  match = f"4 bytes or more, got <class '{type(data).__name__}'>; give those"
  model, (_, tables) = MAKERS["bottleneck"](), frozen("bottleneck")
  with pytest.raises(JaxlicError, match=match):
    model.decompress(tables, data, (1, 3))


def test_bytes_are_not_made_of_traced_arrays():
  model, (_, tables) = MAKERS["gaussian"](), frozen("gaussian")
  with pytest.raises(JaxlicError, match="got a traced y; call it outside"):
    jax.jit(lambda y: model.compress(tables, y, scales=ONES))(Y)
  with pytest.raises(JaxlicError, match="decompress .* a traced scales"):
    jax.jit(lambda s: model.decompress(tables, b"", scales=s))(ONES)


SHAPES = [
  (None, "a shape is a tuple .* got None; give that of what was compressed"),
  ((-1, 3), r"integers from 0 up, got \(-1, 3\)"),
  ((2.0, 3), r"got \(2.0, 3\)"),
  ((2**40, 3), "up to 268435456 elements, got .*; split it"),
  ((), "one call codes an array"),
]


@pytest.mark.parametrize(("shape", "match"), SHAPES)
def test_shapes_that_nothing_has_are_refused_before_memory_is_taken(
  shape, match
):
  model, (_, tables) = MAKERS["bottleneck"](), frozen("bottleneck")
  with pytest.raises(JaxlicError, match=match):
    model.decompress(tables, bytes(4), shape)


def test_a_bottleneck_too_wide_for_tables_is_refused():
  # 2 * 21.4 times the scale.
  model = entropy.bottleneck(3, init_scale=1000)
  with pytest.raises(JaxlicError, match="spans .* symbols, tables hold 32768"):
    model.freeze(model.init(jax.random.key(0)))
