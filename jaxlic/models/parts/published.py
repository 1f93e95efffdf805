"""What papers of one rate publish: a quality's widths and weights."""

from jaxlic.errors import JaxlicError
from jaxlic.types import ModelSpec

STRIDE = 16  # pixels per position of y
HYPER_STRIDE = 4  # positions of y per position of z
NARROW, WIDE = (128, 192), (192, 320)  # channels inside the transforms, of y
# Weights of 255^2 * MSE against bits per pixel, for qualities 1 to 8, under
# which CompressAI publishes weights.
LAMBDAS = (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.1800)
# Likewise of 1 - MS-SSIM.
MS_SSIM_LAMBDAS = (2.40, 4.58, 8.73, 16.64, 31.73, 60.50, 115.37, 220.00)


def published_widths(
  quality: int, width: int | None, latent: int | None, wide_from: int
) -> tuple[int, int]:
  """Returns the transforms' and the latent's channels; those given win.

  Qualities from `wide_from` on use the wide networks.

  Raises:
    JaxlicError: If the quality is not in 1..8.
  """
  if not 1 <= quality <= len(LAMBDAS):
    raise JaxlicError(
      f"a published quality is in 1..{len(LAMBDAS)}, got {quality}; choose one "
      "of them, and set width and latent for other networks"
    )
  published = WIDE if quality >= wide_from else NARROW
  return (
    published[0] if width is None else width,
    published[1] if latent is None else latent,
  )


def check_quality(quality: int, count: int, paper: str) -> None:
  """Checks that a paper has so high a quality.

  Raises:
    JaxlicError: If it is not in 1..count.
  """
  if not 1 <= quality <= count:
    raise JaxlicError(
      f"a published quality of {paper} is in 1..{count}, got {quality}; choose "
      "one of them, and set width for another network"
    )


def model_spec(name: str, quality: int) -> ModelSpec:
  """Returns the facts of a model of one rate."""
  return ModelSpec(
    name,
    STRIDE,
    lambdas=(LAMBDAS[quality - 1],),
    ms_ssim_lambdas=(MS_SSIM_LAMBDAS[quality - 1],),
  )
