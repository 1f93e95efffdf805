"""The mean-scale hyperprior."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlic.nn import hyper_networks
from tests.models.small_models import small


def test_the_mean_scale_hyperprior_puts_scales_first():
  # The chunk order of CompressAI's MeanScaleHyperprior.
  model, params = small("mbt2018-mean")
  # A copy, for other tests share these parameters.
  params = jax.tree.map(jnp.zeros_like, params["hyper_synthesis"])
  params["params"]["conv2"]["bias"] = jnp.array([0.25] * 6 + [-2.0] * 6)
  params = {"hyper_synthesis": params}
  context = model.stages[0].absorb(params, {}, jnp.ones((1, 1, 1, 4)), (2, 3))
  prediction = model.stages[1].predict(params, context, (2, 3))
  np.testing.assert_array_equal(prediction.scale, np.full((1, 2, 3, 6), 0.25))
  np.testing.assert_array_equal(prediction.mean, np.full((1, 2, 3, 6), -2.0))
  symbols = jnp.ones((1, 2, 3, 6), jnp.int32)
  y_hat = model.stages[1].quantizer.from_symbols(symbols, prediction).value
  np.testing.assert_array_equal(y_hat, -1.0)


def test_the_mean_scale_hyper_synthesis_has_the_published_widths():
  # M, 3M/2 and 2M channels.
  module = hyper_networks.HyperSynthesis(6)
  z = jnp.zeros((1, 1, 1, 4))
  params = jax.eval_shape(
    lambda: module.init(jax.random.key(0), z, (4, 4))["params"]
  )
  widths = [params[f"conv{k}"]["bias"].shape[0] for k in range(3)]
  assert widths == [6, 9, 12]
