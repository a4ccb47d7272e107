"""Each limit, provoked over the network: a 4xx of JSON, and the server goes on."""

import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import numpy as np
import pandas as pd
import pytest

RAW = {"content-type": "application/octet-stream"}
EMBED = "/v1/embed/pose"


def pieces(content: bytes, pause: float = 0.0):
    """A body without a length, in pieces."""
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]
        time.sleep(pause)


@pytest.fixture
def small(serve):
    return serve(body=60_000, frames=6, text=10, many=2)


def test_a_body_over_the_limit_by_its_length_or_while_it_streams(small, clip):
    assert len(clip) < 60_000
    big = bytes(200_000)
    for content in (big, pieces(big)):
        assert small.error(EMBED, 413, content=content, headers=RAW) == (
            "a body over 60,000 bytes, which is the limit"
        )
    assert "a body over" in small.error(EMBED, 413, files={"clip": ("a.pose", big)})
    assert small.post(EMBED, content=pieces(clip), headers=RAW).status_code == 200


def test_a_body_that_never_ends_is_not_received_for_ever(small):
    """The answer comes, or the connection is closed, after a few times the limit."""
    sent = 0

    def endless():
        nonlocal sent
        while sent < 1 << 30:
            sent += 10_000
            yield bytes(10_000)

    with suppress(httpx.TransportError):
        assert small.post(EMBED, content=endless(), headers=RAW).status_code == 413
    assert sent < 50_000_000  # buffers of the network included


def test_json_has_a_limit_of_its_own(served):
    given = {"texts": ["a" * (1 << 20)], "as_is": True}
    assert "1,048,576 bytes" in served.error("/v1/embed/text", 413, json=given)


def test_frames(small, make_pose, pose_bytes, tmp_path):
    content = pose_bytes(make_pose(frames=7, components=("POSE",)))
    expected = "clip.pose: 7 frames; at most 6 are taken"
    assert small.error(EMBED, 413, content=content, headers=RAW) == expected
    # v0.0, 65,535 frames without a person in a few bytes: refused by what it announces
    component = struct.pack("<H1sH4sHHHH1s", 1, b"P", 4, b"XYZC", 1, 0, 0, 1, b"x")
    bomb = struct.pack("<fHHHH", 0.0, 1, 1, 1, 1) + component + struct.pack("<HH", 25, 65_535)
    assert "65,535 frames; at most 6" in small.error(EMBED, 413, content=bomb, headers=RAW)
    rows = 543 * 50
    table = pd.DataFrame({name: np.zeros(rows) for name in ("frame", "landmark_index", *"xyz")})
    table.assign(type="pose").to_parquet(tmp_path / "a.parquet")
    files = {"clip": ("a.parquet", (tmp_path / "a.parquet").read_bytes())}
    assert "50 frames; at most 6" in small.error(EMBED, 413, files=files)


def test_batch_and_length_of_texts(small, clip):
    given = {"texts": ["a", "b", "c"], "sign_language": "ase"}
    assert small.error("/v1/embed/text", 413, json=given) == "3 texts; at most 2 are taken"
    given["texts"] = ["a", "b" * 11]
    assert "text 1: 11 characters" in small.error("/v1/embed/text", 413, json=given)
    files = [("clip", (f"{i}.pose", b"x")) for i in range(3)]
    assert "Maximum number of files is 2" in small.error(EMBED, 400, files=files)
    files = [("clip", ("a.pose", clip)), ("clip", ("b.pose", clip))]
    assert "2 clips; a search takes one" in small.error(
        "/v1/search", 422, files=[(k, (n, c[:20_000])) for k, (n, c) in files]
    )


def test_time(serve, clip):
    slow = serve(seconds=0.3)
    reason = slow.error(EMBED, 408, content=pieces(clip, pause=0.5), headers=RAW)
    assert reason == "not done within 0.3 s, which is the limit"
    assert slow.post(EMBED, content=clip, headers=RAW).status_code == 200


def test_a_request_that_timed_out_is_not_computed(serve, clip):
    slow = serve(seconds=0.2, wait=0.6)
    assert "not done" in slow.error(EMBED, 408, content=clip, headers=RAW)
    time.sleep(0.6)
    assert slow.engine.clips.batches == 0


def test_requests_at_a_time(serve, clip):
    full = serve(requests=1, wait=0.8)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(full.post, EMBED, content=clip, headers=RAW)
        begun = threading.Event()
        begun.wait(0.3)
        answer = full.client.post(EMBED, content=clip, headers=RAW)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert "which is the limit" in answer.json()["error"]
        assert full.client.get("/healthz").status_code == 200
        assert first.result().status_code == 200
    assert full.post(EMBED, content=clip, headers=RAW).status_code == 200
