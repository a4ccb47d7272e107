"""The conformance test: each broken property is found and says what to change."""

import re

import pytest

from benchmarks.submission import checks
from signclip.core.errors import ConfigError

NAME = "spreadthesign-fingerspelling"
BROKEN = {
    "shapes": (
        "return super().embed_pose(poses)[0]",
        r"shape \(63,\) for 11 poses: return one row",
    ),
    "dtype": ("return super().embed_pose(poses).astype(np.float16)", "float16: return float32"),
    "finite": (
        "found = super().embed_pose(poses); found[-1] = np.nan; return found",
        "clip .* gives NaN or infinity: look for a division by 0",
    ),
    "not constant": ("return np.ones((len(poses), 8), np.float32)", "does the method read its arg"),
    "deterministic": (
        "return super().embed_pose(poses) + np.random.normal(size=63).astype(np.float32)",
        "switch off dropout",
    ),
    "batch-invariant": (
        "found = super().embed_pose(poses); return found - found.mean(axis=0)",
        "mask the padding of shorter clips",
    ),
    "order kept": (
        "return super().embed_pose(sorted(poses, key=len))",
        "put the rows back into the order",
    ),
    "memory": (
        "global KEPT; KEPT = [*globals().get('KEPT', ()), np.ones(2**22)]; "
        "return super().embed_pose(poses)",
        "memory grows by .* keep no results in attributes",
    ),
}


def failed(entry, workspace) -> dict[str, str]:
    return {one.name: one.advice for one in checks.check(entry, workspace, NAME) if not one.passed}


def test_a_good_encoder_passes_every_check(open_entry, workspace):
    found = list(checks.check(open_entry(), workspace, NAME))
    assert [one.name for one in found if not one.passed] == []
    assert {*BROKEN, "metadata", "speed"} == {one.name for one in found}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_property_is_found(open_entry, workspace, name, monkeypatch):
    monkeypatch.setattr(checks, "GROWTH", 4 << 20)
    body, advice = BROKEN[name]
    code = f"class Broken(Mean):\n    def embed_pose(self, poses):\n        {body}\n"
    found = failed(open_entry(code, "Broken"), workspace)
    assert name in found
    assert re.search(advice, found[name])


def test_an_argument_that_is_changed_is_found(open_entry, workspace):
    code = """
class Broken(Mean):
    def one(self, pose):
        pose = pose if pose.flags.writeable else pose.copy()
        pose -= 1
        return super().one(pose)
"""
    assert "changes its argument" in failed(open_entry(code, "Broken"), workspace)["shapes"]


def test_weights_drawn_at_random_are_found(open_entry, workspace):
    code = """
class Broken(Mean):
    def __init__(self):
        self.weights = np.random.default_rng().normal(size=(63, 8))

    def embed_pose(self, poses):
        return (super().embed_pose(poses) @ self.weights).astype(np.float32)
"""
    found = failed(open_entry(code, "Broken"), workspace)
    assert "a second instance gives other numbers" in found["deterministic"]


def test_texts_lie_in_the_space_of_the_clips(open_entry, workspace):
    code = """
class Broken(Mean):
    def embed_text(self, texts):
        return np.array([[len(text)] * 5 for text in texts], np.float32)
"""
    assert (
        "a text has 5 numbers, a clip 63" in failed(open_entry(code, "Broken"), workspace)["texts"]
    )


RECOGNISER = """
class Recogniser:
    metadata = {**METADATA, "trained_here": %s}

    def fit(self, clips, texts):
        self.means = {}
        for clip, text in zip(clips, texts):
            self.means.setdefault(text.casefold(), clip.values.mean(axis=0))

    def score(self, clips, labels):
        return np.array([[self.one(clip, label) for clip in clips] for label in labels], "f")

    def one(self, clip, label):
        mean = self.means.get(label)
        return -1e6 if mean is None else -np.linalg.norm(clip.values.mean(axis=0) - mean)
"""


def test_a_recogniser_that_learns_must_say_so(open_entry, workspace):
    assert failed(open_entry(RECOGNISER % True, "Recogniser"), workspace) == {}
    found = failed(open_entry(RECOGNISER % False, "Recogniser"), workspace)
    assert list(found) == ["trained here"]


def test_an_exception_names_the_line(open_entry, workspace):
    code = "class Broken(Mean):\n    def one(self, pose):\n        return pose[1000000]\n"
    advice = failed(open_entry(code, "Broken"), workspace)["shapes"]
    assert "embed_pose raised IndexError" in advice
    assert "somebodys_encoder.py, line " in advice


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class Broken(Mean):\n    metadata = None", "needs a class attribute `metadata`"),
        ("class Broken(Mean):\n    metadata = {**METADATA, 'colour': 1}", "colour: Extra inputs"),
        (
            "class Broken(Mean):\n    metadata = {k: METADATA[k] for k in METADATA if k != 'link'}",
            "link: Field required",
        ),
        ("class Broken(Mean):\n    def __init__(self):\n        1 / 0", "ZeroDivisionError"),
        ("class Broken(Mean):\n    files = ('weights.bin',)", "named by the attribute `files`"),
        ("1 / 0", "importing its module raised ZeroDivisionError"),
    ],
)
def test_what_is_no_encoder_is_refused_with_its_cause(open_entry, code, message):
    with pytest.raises(ConfigError, match=message):
        open_entry(code, "Broken")
