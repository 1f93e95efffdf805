"""Entropy models for themselves: bits to train with, and bytes.

    from jaxlic import entropy

    model = entropy.bottleneck(channels=192)
    params = model.init(jax.random.key(0))
    bits = model.bits(params, model.quantize(y, "noise", key=key)).sum()
    tables = model.freeze(params)
    data = model.compress(tables, y)
    y_hat = model.decompress(tables, data, y.shape)

Arrays are [... c], of JAX or NumPy, c the channels; models but `bottleneck` are
told what predicts each element, arrays of the same shape:

| made by | predicted by | densities |
|---|---|---|
| `bottleneck(channels)` | | one that is learned per channel |
| `gaussian()` | `scales`, `means` | `jaxlic.densities.gaussian` |
| `asymmetric()` | `scales` [... c 2], `means` | likewise with two scales |
| `mixture()` | `scales`, `means`, `logits` [... c k] | of k Gaussians |

`docs/entropy_models.md` maps the names of CompressAI and of TensorFlow
Compression to these.
"""

from jaxlic.entropy.learned import bottleneck
from jaxlic.entropy.model import EntropyModel, Frozen
from jaxlic.entropy.predicted import asymmetric, gaussian, mixture

__all__ = [
  "EntropyModel",
  "Frozen",
  "asymmetric",
  "bottleneck",
  "gaussian",
  "mixture",
]
