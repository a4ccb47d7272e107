"""The same work on a Ray cluster of two local workers."""

import sys

import numpy as np
import pytest

from signclip.core.errors import ConfigError
from signclip.extraction import extract


@pytest.fixture(scope="module")
def clips(tmp_path_factory, encode, photograph):
    folder = tmp_path_factory.mktemp("clips")
    for i in range(3):
        frames = [np.ascontiguousarray(np.roll(photograph, i * j, axis=1)) for j in range(3)]
        encode(folder / f"{i}.mp4", frames)
    (folder / "bad.mp4").write_bytes(b"not a video")
    return folder


@pytest.mark.slow
def test_two_workers_of_a_ray_cluster_give_the_same_bytes(clips, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'signclip[ray]'")
    there, here = tmp_path / "ray", tmp_path / "local"
    on_ray = extract.run([clips], there, jobs=2, engine="ray", progress=False)
    local = extract.run([clips], here, jobs=2, progress=False)
    cost = {"wall_seconds": None}
    assert [one.row | cost for one in on_ray] == [one.row | cost for one in local]
    assert [one.row["status"] for one in on_ray] == ["extracted"] * 3 + ["failed"]
    for i in range(3):
        assert (there / f"{i}.pose").read_bytes() == (here / f"{i}.pose").read_bytes()
    # the records are the same too: the other engine has nothing left to do
    again = extract.run([clips], there, jobs=2, progress=False)
    assert [one.reused for one in again] == [True] * 4


def test_no_cluster_at_an_address_is_named(clips, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'signclip[ray]'")
    with pytest.raises(ConfigError, match="no Ray cluster at 'auto'"):
        extract.run([clips], tmp_path, jobs=1, engine="ray", address="auto", progress=False)


def test_without_ray_the_extra_is_named(clips, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'signclip\[ray\]'"):
        extract.run([clips], tmp_path, jobs=1, engine="ray", progress=False)
