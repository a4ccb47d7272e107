"""What is answered: embeddings and searches as the library gives them, errors as JSON."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from skimage import data

from signclip import poses, search
from tests.soak import serve as soak

RAW = {"content-type": "application/octet-stream"}


def test_texts_become_the_models_prompts(served, model):
    given = {"texts": ["house", "<en> <gsg> a"], "sign_language": "ase"}
    found = served.post("/v1/embed/text", json=given).json()
    assert found["prompts"] == ["<en> <ase> house", "<en> <gsg> a"]
    assert found["model"] == search.fingerprint(model)
    expected = model.embed_text(found["prompts"])
    np.testing.assert_allclose(found["embeddings"], expected, atol=1e-5)
    found = served.post("/v1/embed/text", json={"texts": ["house"], "as_is": True}).json()
    np.testing.assert_allclose(found["embeddings"], model.embed_text(["house"]), atol=1e-5)


def test_a_clip_is_the_body_or_a_file_of_a_form(served, model, clip, place):
    expected = model.embed_pose([place / "clips/good-0.pose"])
    found = served.post("/v1/embed/pose", content=clip, headers=RAW).json()["clips"]
    assert [(one["name"], one["frames"], one["cut"]) for one in found] == [("clip.pose", 4, False)]
    np.testing.assert_allclose([found[0]["embedding"]], expected, atol=1e-5)
    files = [("clip", ("../a.pose", clip)), ("clip", ("b.pose", clip))]
    found = served.post("/v1/embed/pose", files=files).json()["clips"]
    assert [one["name"] for one in found] == ["a.pose", "b.pose"]
    np.testing.assert_allclose([one["embedding"] for one in found], expected[[0, 0]], atol=1e-5)


def test_a_long_clip_is_cut_as_in_an_index_and_says_so(served, model, make_pose, pose_bytes):
    pose = make_pose(frames=20)
    found = served.post("/v1/embed/pose", content=pose_bytes(pose), headers=RAW).json()["clips"][0]
    assert (found["frames"], found["cut"]) == (20, True)
    np.testing.assert_allclose([found["embedding"]], model.embed_pose([pose]), atol=1e-5)


def test_a_text_finds_what_the_index_finds(served, model, index):
    given = {"text": "house", "sign_language": "ase", "k": 5}
    found = served.post("/v1/search", json=given).json()
    (hits,) = index.search(model.embed_text(["<en> <ase> house"]), 5, "ase")
    assert [one["id"] for one in found["signs"]] == [hit.id for hit in hits]
    assert [one["score"] for one in found["signs"]] == pytest.approx([hit.score for hit in hits])
    assert (found["query"], found["words"]) == ("<en> <ase> house", [])
    assert "path" not in found["signs"][0]


@pytest.mark.parametrize("as_form", [False, True])
def test_a_clip_finds_itself_and_the_words_of_the_index(served, model, clip, place, as_form):
    if as_form:
        files = {"clip": ("x.pose", clip)}
        found = served.post("/v1/search", data={"k": "2"}, files=files).json()
    else:
        found = served.post("/v1/search?k=2&name=x.pose", content=clip, headers=RAW).json()
    assert (found["query"], found["signs"][0]["id"]) == ("x.pose", "good-0")
    assert found["signs"][0]["score"] == pytest.approx(1, abs=1e-6)
    prompts = ["<en> <ase> house", "<en> <gsg> hous", "<en> <ase> a"]
    scores = model.similarity([place / "clips/good-0.pose"], prompts)[0]
    words = [(word["text"], word["sign_language"]) for word in found["words"]]
    named = [("house", "ase"), ("hous", "gsg"), ("a", "ase")]
    assert words == [named[i] for i in np.argsort(-scores)[:2]]
    assert found["words"][0]["score"] == pytest.approx(scores.max(), rel=1e-4)


def test_signs_and_words_of_one_language_only(served, clip):
    found = served.post("/v1/search?sign_language=gsg", content=clip, headers=RAW).json()
    assert [one["id"] for one in found["signs"]] == ["good-1"]
    assert [word["text"] for word in found["words"]] == ["hous"]


def test_the_skeleton_of_a_sign(served, serve, place):
    whole = served.client.get("/v1/signs/2/skeleton").json()
    assert (whole["id"], whole["cut"], len(whole["frames"])) == ("good-2", False, 6)
    assert "path" not in whole
    part = serve(skeleton=3).client.get("/v1/signs/2/skeleton").json()
    assert (part["cut"], part["frames"]) == (True, whole["frames"][:3])
    assert served.client.get("/v1/signs/3/skeleton").status_code == 404


def test_the_skeleton_of_a_clip_that_is_gone_is_a_reason(model, place, tmp_path, serve, clip):
    (tmp_path / "gone.pose").write_bytes(clip)
    found = search.find_clips([tmp_path / "gone.pose"])
    built = search.build(found, model, tmp_path / "index", progress=False)
    one = serve(index=built.index)
    assert one.client.get("/v1/signs/0/skeleton").status_code == 200
    (tmp_path / "gone.pose").unlink()
    answer = one.client.get("/v1/signs/0/skeleton")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (404, True)


def test_without_an_index_there_are_embeddings_only(serve, clip):
    one = serve(index=None)
    assert one.client.get("/healthz").json()["index"] is None
    assert one.post("/v1/embed/pose", content=clip, headers=RAW).status_code == 200
    assert "no index" in one.error("/v1/search", 404, json={"text": "house"})
    assert one.client.get("/v1/signs/0/skeleton").status_code == 404


@pytest.mark.slow
def test_a_video_is_embedded_as_its_extracted_pose(served, model, tmp_path):
    """A hostile one is refused; the server reads neither itself, and leaves no file behind."""
    files = {"clip": ("../a.MP4", b"x" * 1000)}
    assert served.error("/v1/embed/pose", 422, files=files).startswith("a.MP4: ")
    photograph = np.ascontiguousarray(data.astronaut()[::4, ::4])
    path = str(tmp_path / "a.mp4")
    written = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), 25, photograph.shape[1::-1])
    for _ in range(3):
        written.write(photograph[..., ::-1])
    written.release()
    content = (tmp_path / "a.mp4").read_bytes()
    found = served.post("/v1/embed/pose?name=a.mp4", content=content, headers=RAW).json()
    assert [(one["name"], one["frames"]) for one in found["clips"]] == [("a.mp4", 3)]
    expected = model.embed_pose([path])
    np.testing.assert_allclose([found["clips"][0]["embedding"]], expected, atol=1e-5)
    assert not list(Path(tempfile.gettempdir()).glob("signclip-serve-*"))


def test_a_server_that_takes_no_videos(serve):
    one = serve(videos=False)
    files = {"clip": ("a.mp4", b"x")}
    assert "takes poses only" in one.error("/v1/embed/pose", 415, files=files)


def test_health_says_what_is_served(served):
    found = served.client.get("/healthz").json()
    assert (found["status"], found["index"]["signs"], found["index"]["words"]) == ("ok", 3, 3)
    tags = {one["tag"]: (one["name"], one["signs"]) for one in found["index"]["sign_languages"]}
    assert tags["ase"] == ("American Sign Language", 2)


def test_damaged_clips_are_refused_with_the_reason(served, damaged):
    for kind, content in damaged.items():
        reason = served.error("/v1/search?name=x.pose", 422, content=content, headers=RAW)
        assert kind == "empty" or reason.startswith("x.pose: "), kind
    assert served.client.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "status", "given", "reason"),
    [
        ("/v1/embed/text", 422, {"json": {"texts": ["a"]}}, "give one as sign_language"),
        ("/v1/embed/text", 422, {"json": {"texts": []}}, "texts: List should have at least 1"),
        ("/v1/embed/text", 422, {"json": {"texts": ["<en> <lis> a"]}}, "did you mean ise"),
        ("/v1/embed/text", 422, {"json": {"texts": [" "], "as_is": True}}, "text 0: blank"),
        ("/v1/embed/text", 422, {"json": {"texts": ["☃", "☂"], "as_is": True}}, "☂"),
        ("/v1/embed/text", 422, {"json": {"text": ["a"]}}, "text: Extra inputs"),
        ("/v1/embed/text", 422, {"content": '{"texts": ["\\ud800"], "as_is": true}'}, "Unicode"),
        ("/v1/embed/text", 422, {"content": '{"\\ud800": 1}'}, "unicode"),
        ("/v1/embed/text", 422, {"content": "{"}, "JSON"),
        ("/v1/embed/text", 400, {"content": "[" * 100_000}, "parsing the body"),
        ("/v1/embed/pose", 415, {"json": {}}, "a body of 'application/json'"),
        ("/v1/embed/pose", 422, {"files": {"clip": ("a.txt", b"x")}}, "a.txt: clips are"),
        ("/v1/embed/pose", 422, {"files": {"clip": ("a.parquet", b"x")}}, "not a Parquet file"),
        ("/v1/embed/pose", 422, {"files": {"clip": ("a.npy", b"x")}}, "not a whole .npy file"),
        ("/v1/embed/pose", 422, {"files": {"x": (None, "y")}}, "no file in the form"),
        ("/v1/embed/pose", 422, {"content": b"", "headers": RAW}, "the body is empty"),
        ("/v1/search", 422, {"json": {"text": "a", "k": 0}}, "k: Input should be greater"),
        ("/v1/search", 422, {"json": {"text": "a", "sign_language": "ise"}}, "no sign of 'ise'"),
        (
            "/v1/search?k=x",
            422,
            {"files": {"clip": ("a.pose", b"x")}},
            "k: Input should be a valid integer",
        ),
        ("/v1/search", 422, {"json": [1]}, "should be an object"),
        ("/nope", 404, {}, "no route /nope"),
        ("/healthz", 405, {}, "no method POST"),
    ],
)
def test_a_bad_request_is_one_line_of_json(served, path, status, given, reason):
    if "content" in given and "headers" not in given:
        given = given | {"headers": {"content-type": "application/json"}}
    assert reason in served.error(path, status, **given)


def test_concurrent_requests_are_one_batch_with_the_same_answers(serve, make_pose, pose_bytes):
    one = serve(wait=0.5, batch=6)
    clips = [pose_bytes(make_pose(seed=seed, frames=3 + 2 * seed)) for seed in range(6)]

    def send(content):
        return one.post("/v1/embed/pose", content=content, headers=RAW)

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(send, clips))
    assert (one.engine.clips.batches, one.engine.clips.items) == (1, 6)
    for answer, content in zip(together, clips, strict=True):
        (found,) = answer.json()["clips"]
        expected = one.engine.model.embed_pose([poses.parse_pose(content)])
        np.testing.assert_allclose([found["embedding"]], expected, atol=1e-5)


def test_a_request_fails_alone_in_its_batch(serve):
    """Two texts that the vocabulary cannot distinguish are an error only within one request."""
    one = serve(wait=0.5, batch=4)
    given = [["☃"], ["☂"], ["☃", "☂"], ["house"]]

    def send(texts):
        return one.post("/v1/embed/text", json={"texts": texts, "as_is": True})

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(send, given))
    assert [answer.status_code for answer in found] == [200, 200, 422, 200]


def test_what_is_not_finite_is_never_answered(serve, make_model, clip):
    broken = make_model(seed=8)
    for parameter in broken.model.parameters():
        parameter.data.fill_(float("nan"))
    one = serve(model=broken, index=None)
    given = {"texts": ["house"], "as_is": True}
    assert "not finite" in one.error("/v1/embed/text", 422, json=given)
    assert "not finite" in one.error("/v1/embed/pose", 422, content=clip, headers=RAW)


def test_a_fault_of_the_server_is_500_and_the_server_goes_on(serve, monkeypatch):
    one = serve()

    def fail(row):
        raise KeyError("secret")

    monkeypatch.setattr(one.engine.index, "hit", fail)
    answer = one.client.get("/v1/signs/0/skeleton")
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    assert "secret" not in answer.text
    assert one.post("/v1/search", json={"text": "house", "sign_language": "ase"}).status_code == 200


def test_the_server_answers_to_names_of_loopback_only(served):
    for name, status in (("localhost:1", 200), ("[::1]", 200), ("rebound.example", 421)):
        assert served.client.get("/healthz", headers={"host": name}).status_code == status


def test_openapi_declares_every_answer(served):
    described = served.client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        *("/v1/embed/text", "/v1/embed/pose", "/v1/search"),
        *("/v1/signs/{row}/skeleton", "/healthz"),
    }
    for path in described["paths"].values():
        for operation in path.values():
            assert {"200", "404", "408", "413", "415", "422", "429"} <= set(operation["responses"])
            error = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert error["$ref"].endswith("/Error")


@pytest.mark.slow
def test_requests_made_from_its_own_description_break_nothing(served):
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    seen = soak.requests_of_schema(served.address, examples=4)
    assert {200, 422} <= set(seen)
    assert max(seen) < 500


def test_a_client_that_leaves_does_no_harm(served, clip):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{served.address}/v1/embed/pose",
            content=clip,
            headers=RAW,
            timeout=httpx.Timeout(5, read=0.0001),
            trust_env=False,
        )
    assert served.post("/v1/embed/pose", content=clip, headers=RAW).status_code == 200
