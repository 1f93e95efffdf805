import numpy as np
import pytest

from configs import lapped
from jaxlic import training, zoo
from jaxlic.training.run import Run
from tests.conftest import TOY_OPTIONS, make_toy


@pytest.mark.newest
def test_export_makes_a_codec_of_a_run(run, refuse, tmp_path):
  config = lapped.get_config("toy")
  config.model.options = TOY_OPTIONS["lapped"]
  workdir, target = tmp_path / "run", tmp_path / "codec"
  words = "export", workdir, target
  assert "config.json" in refuse(*words)
  model, _, average, _ = make_toy("lapped")
  model = model._replace(init=lambda key: average)
  with Run(workdir, config, main=True) as saved:
    saved.describe()
    assert "no checkpoint" in refuse(*words)
    optimizer = training.make_optimizer(config.optimizer, model.spec)
    saved.save(training.init_state(model, optimizer, config), 0)

  assert "a codec named codec" in run(*words)
  trained = zoo.load(target)
  expected = np.asarray(average["forward"], np.float16)
  np.testing.assert_array_equal(trained.params["forward"], expected)
  assert "codec named mine" in run(
    *words, "--name", "mine", "--checkpoint", "0"
  )
  assert "no checkpoint 7" in refuse(*words, "--checkpoint", "7")
  assert "1..64 characters" in refuse(*words, "--name", "Not A Name")
  assert "codec named my-codec" in run(*words[:2], tmp_path / "My Codec")
  assert "with --name" in refuse(*words[:2], tmp_path / "é")
