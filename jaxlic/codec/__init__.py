"""From one description of a model to everything that is done with it.

`make(model)` derives training, evaluation, encoding and decoding by visiting
the model's stages in order. The walks differ only in where the value of a
stage's latent comes from:

| function | the value of a stage's latent is |
|---|---|
| apply | the latent under the training surrogate |
| evaluate | quantized, which is what the decoder will have |
| encode | quantized, and its symbols are coded |
| decode | read from the payload |

`apply` is one traceable program (`traceable.py`). The others run the same
compiled functions on the same symbols (`compiled.py`), group after group where
a stage has an order (`ordered.py`): `decode(encode(x)) == evaluate(x)` holds by
construction.

Batches are quantized to integers and reconstructed from them in one traceable
program each (`batched.py`), as `evaluate` is where it is traced; `push` and
`pop` code the integers on the host (`payloads.py`). Compiled otherwise, they
agree with the others as two devices do.
"""

from jaxlic.codec.derive import make
from jaxlic.codec.device_safety import check_rows
from jaxlic.codec.inputs import checked_quality
from jaxlic.codec.ordered import predictor
from jaxlic.codec.traceable import analyze, begin, walk

__all__ = [
  "analyze",
  "begin",
  "check_rows",
  "checked_quality",
  "make",
  "predictor",
  "walk",
]
