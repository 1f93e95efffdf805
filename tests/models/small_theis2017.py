"""The compressive autoencoder of a few channels, and a step of its training."""

import functools

import jax
import jax.numpy as jnp

from jaxlic import codec, models, training
from tests.conftest import make_params, over_devices

SMALL = {"width": 6, "latent": 5}


@functools.cache
def small(name="theis2017", **options):
  """(the model, its codec, its parameters)."""
  model = models.make(name, **SMALL, **options)
  return model, codec.make(model), make_params(model)


def picture(height, width, batch=1):
  return jax.random.uniform(jax.random.key(3), (batch, height, width, 3))


def mapped_step(model, built, optimizer, config, images):
  """One step of training on these images: state -> state."""
  step = training.make_step(model, built, optimizer, config)
  index = jnp.arange(len(images), dtype=jnp.uint32)[None]
  return jax.jit(lambda state: over_devices(step)(state, images[None], index))
