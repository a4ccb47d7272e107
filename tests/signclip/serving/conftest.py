"""A tiny model with an index of three clips, served on a free port by a thread of this process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import signclip
from signclip import search
from signclip.inference import SignCLIPModel

pytest.importorskip("fastapi", reason="pip install 'signclip[serve]'")

import httpx
import uvicorn

from signclip.serving import server
from signclip.serving.app import create_app
from signclip.serving.engine import Engine
from signclip.serving.limits import Limits

TEXTS = {"good-0": ("house", "ase"), "good-1": ("hous", "gsg"), "good-2": ("a", "ase")}


class Served:
    """A running server: its engine, its address, and a client of it."""

    def __init__(self, engine: Engine, address: str):
        self.engine, self.address = engine, address
        # without the proxies of the environment
        self.client = httpx.Client(base_url=address, timeout=60, trust_env=False)

    def post(self, path: str, **options) -> httpx.Response:
        return self.client.post(path, **options)

    def error(self, path: str, status: int, **options) -> str:
        """The reason why a request is refused, which is JSON with one line."""
        found = self.post(path, **options)
        assert found.status_code == status, found.text
        assert found.headers["content-type"] == "application/json"
        assert list(found.json()) == ["error"]
        return found.json()["error"]


@contextmanager
def serving(engine: Engine) -> Iterator[Served]:
    """Serve until the block ends."""
    bound = server.bind("127.0.0.1", 0)
    app = create_app(engine, server.names(bound))
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[bound])))
    thread.start()
    served = Served(engine, server.address(bound))
    try:
        yield served
    finally:
        served.client.close()
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def place(build_once, make_model, make_pose, pose_bytes) -> Path:
    """A folder with ``model``, ``clips`` and ``index``."""

    def build(folder: Path) -> None:
        make_model().save_pretrained(folder / "model")
        (folder / "clips").mkdir()
        rows = ["id,path,text,sign_language,spoken_language,signer,split"]
        for seed, (clip, (text, language)) in enumerate(TEXTS.items()):
            content = pose_bytes(make_pose(seed=seed, frames=4 + seed))
            (folder / "clips" / f"{clip}.pose").write_bytes(content)
            rows.append(f"{clip},{clip}.pose,{text},{language},en,s1,test")
        (folder / "clips/manifest.csv").write_text("\n".join(rows) + "\n")
        found = search.find_clips([folder / "clips"])
        model = signclip.load(folder / "model")
        search.build(found, model, folder / "index", model_path=folder / "model", progress=False)

    return build_once("served", build)


@pytest.fixture(scope="session")
def model(place) -> SignCLIPModel:
    return signclip.load(place / "model")


@pytest.fixture(scope="session")
def index(place) -> search.Index:
    return search.Index.open(place / "index")


@pytest.fixture(scope="session")
def clip(place) -> bytes:
    """The content of the first clip, of 4 frames."""
    return (place / "clips/good-0.pose").read_bytes()


@pytest.fixture(scope="session")
def served(model, index) -> Iterator[Served]:
    """A server with the usual limits."""
    with serving(Engine(model, index)) as one:
        yield one


@pytest.fixture
def serve(model, index) -> Iterator[Callable[..., Served]]:
    """``serve(index=None, wait=..., frames=8)``: a server with limits and options of its own."""
    blocks = []

    def start(**options) -> Served:
        names = Limits.__dataclass_fields__.keys() & options.keys() - {"batch"}
        limits = Limits(
            **{name: options.pop(name) for name in names}, batch=options.pop("many", 64)
        )
        made = Engine(
            options.pop("model", model), options.pop("index", index), limits=limits, **options
        )
        block = serving(made)
        blocks.append(block)
        return block.__enter__()

    yield start
    for block in reversed(blocks):
        block.__exit__(None, None, None)
