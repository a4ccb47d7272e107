"""The public API works after a plain ``import signclip``."""

import subprocess
import sys

import numpy as np
import pytest

import signclip
from signclip.core.errors import ConfigError


@pytest.mark.slow
def test_a_plain_import_is_light_and_gives_the_public_modules():
    """Nor does a model need what trains. One process, because importing torch takes seconds."""
    code = """if True:
        import sys
        import signclip
        signclip.search.Index.open, signclip.search.build, signclip.search.spot
        assert "torch" not in sys.modules
        signclip.poses.preprocess, signclip.checkpoint.from_reference, signclip.load
        slow = ("torch", "transformers", "mmengine", "sklearn", "seaborn")
        print(*(name for name in slow if name in sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["torch", "transformers"]


def test_a_released_file_opened_directly_can_be_saved(released_file, given, tmp_path):
    model = signclip.load(released_file(), **given)
    model.save_pretrained(tmp_path / "saved.pt")
    again = signclip.load(tmp_path / "saved.pt")
    clip = np.random.default_rng(0).normal(size=(5, 609)).astype(np.float32)
    assert np.array_equal(model.embed_pose([clip]), again.embed_pose([clip]))


def test_what_lies_under_a_mask_does_not_count(released_file, given):
    model = signclip.load(released_file(), **given)
    clip = np.random.default_rng(0).normal(size=(5, 609)).astype(np.float32)
    masked = np.ma.masked_array(clip, mask=clip > 1)
    filled = np.where(clip > 1, 0, clip)
    assert np.array_equal(model.embed_pose([masked]), model.embed_pose([filled]))


def test_a_device_that_is_not_there_is_refused(released_file, given):
    model = signclip.load(released_file(), **given)
    with pytest.raises(ConfigError, match="device 'teapot' cannot be used"):
        model.to("teapot")
