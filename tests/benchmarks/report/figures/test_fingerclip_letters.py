"""The letters in two dimensions: which points are drawn, and where."""

import numpy as np
import pytest

from benchmarks.report import drawing
from benchmarks.report.figures import fingerclip_letters
from benchmarks.report.figures.fingerclip_letters import spread_out
from signclip.core.errors import ConfigError


@pytest.mark.parametrize("seed", range(3))
def test_boxes_are_moved_apart_and_no_further_than_needed(seed):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 10, (26, 2)).astype(np.float32)
    positions[1] = positions[0]
    moved = spread_out(positions, least=0.8)
    first, second = np.triu_indices(26, 1)
    distances = np.hypot(*(moved[first] - moved[second]).T)
    assert distances.min() >= 0.8 - 1e-6
    assert np.abs(moved - positions).max() < 3
    far = np.array([[0, 0], [5, 5]])
    assert np.array_equal(spread_out(far, least=1), far)


def test_a_fold_s_clips_and_prompts_are_drawn_and_equal_predictions_give_equal_bytes(
    predict, source, tmp_path
):
    with pytest.raises(ConfigError, match="no predictions"):
        fingerclip_letters.draw(source)
    predict("E3.2")
    numbers = fingerclip_letters.draw(source).numbers
    clips = numbers[numbers["kind"] == "clip"]
    assert sorted(clips["id"]) == sorted(f"{tag}-{x}" for tag in ("ase", "fsl") for x in "abcd")
    assert list(numbers["label"][numbers["kind"] == "prompt"]) == list("abcd")
    assert np.isfinite(numbers[["x", "y"]].to_numpy()).all()
    figure = fingerclip_letters.FIGURE
    both = [drawing.write(figure, source, tmp_path / name, tmp_path) for name in ("a", "b")]
    assert [path.name for path in both[0]] == [
        f"fingerclip_letters.{suffix}" for suffix in ("pdf", "png", "csv")
    ]
    assert [path.read_bytes() for path in both[0]] == [path.read_bytes() for path in both[1]]
