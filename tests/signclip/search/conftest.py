"""A small model, clips, and an index of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

import signclip
from signclip import search
from signclip.inference import SignCLIPModel


@pytest.fixture(scope="session")
def model_folder(make_model, build_once) -> Path:
    """Such a model, saved."""
    return build_once("search-model", lambda to: make_model().save_pretrained(to / "m")) / "m"


@pytest.fixture(scope="session")
def model(model_folder) -> SignCLIPModel:
    """The same model, loaded."""
    return signclip.load(model_folder)


@pytest.fixture
def clips(tmp_path, make_pose, pose_bytes) -> Path:
    """A folder of six clips of 5 to 10 frames, one in a folder of its own."""
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(("a", "b", "c", "d", "e", "more/f")):
        content = pose_bytes(make_pose(frames=5 + seed, seed=seed))
        (folder / f"{name}.pose").write_bytes(content)
    return folder


@pytest.fixture
def build(model, tmp_path) -> Callable[..., search.Built]:
    """``build(*sources, out="index", **options)``: an index in a temporary folder."""

    def make(*sources: Path, out: str = "index", **options) -> search.Built:
        found = search.find_clips(sources, sign_language=options.pop("sign_language", ""))
        return search.build(found, model, tmp_path / out, progress=False, **options)

    return make
