"""Fixtures of all tests: the embedded corpus, made-up poses, and the data beside the checkout.

Decisions:
- The whole suite runs on one worker process per core, at most four; chosen files and tests run in
  this process. ``-n`` sets another number.
- Every process computes on one thread, so that workers do not take each other's cores.
- Tests that are marked ``slow``, and all in a browser, are left out by ``make test`` and run in CI.
- What is expensive to build and only read is built once for all workers, see :func:`build_once`.
"""

import multiprocessing
import os
import pkgutil
import shutil
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy and torch are imported

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
from pose_format.utils.holistic import holistic_components

from signclip import corpora
from signclip.core import jobs, workers
from signclip.corpora import splits

EMBEDDED = "spreadthesign-fingerspelling"
SHARED = Path(os.environ.get("SHARED") or Path(__file__).parents[2] / "shared")
FORKS_NEED = (
    *jobs.PRELOADED,
    "benchmarks.evaluation.context",
    "mmaction.engine.model",
    "mmaction.models",
    "pose_format.utils.holistic",
    "signclip.extraction.extract",
    "signclip.training.train",
)
COMPONENTS = ("POSE", "FACE", "LEFT_HAND", "RIGHT_HAND")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of workers for ``-n auto``; 0: no workers."""
    whole_suite = config.args_source is not pytest.Config.ArgsSource.ARGS
    return min(workers.cores(), 4) if whole_suite else 0


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser are slow ones."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _one_fork_server(request) -> Iterator[None]:
    """What works in forks has one server per worker, which imports what any of them needs.

    A server imports what is asked of it before it starts, and nothing afterwards: without this, the
    first test that forks decides, and each fork of the others imports torch again.
    """
    few_forks = request.config.option.markexpr == "not slow"
    if "PYTEST_XDIST_WORKER" not in os.environ or few_forks:  # what each of them asks for
        yield
        return
    set_preload = forkserver.set_forkserver_preload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            forkserver,
            "set_forkserver_preload",
            lambda names: set_preload(sorted({*names, *FORKS_NEED})),
        )
        yield


@pytest.fixture(scope="session")
def start_in_fork() -> Callable[..., BaseProcess]:
    """``start_in_fork("module:function", *arguments)``: a started fork of the fork server.

    The module is one of ``tests`` or ``tests/signclip/training``. A fork of the server, unlike one
    of this process, can train, and unlike a new interpreter it has imported what a training needs.
    """
    context = multiprocessing.get_context("forkserver")
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # as in signclip.core.jobs

    def start(function: str, *arguments: Any) -> BaseProcess:
        context.set_forkserver_preload(["signclip.training.train", *jobs.PRELOADED])
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(Path(__file__).parent)
            patch.syspath_prepend(Path(__file__).parent / "signclip/training")
            process = context.Process(target=pkgutil.resolve_name(function), args=arguments)
            process.start()
        return process

    return start


@pytest.fixture(scope="session")
def train_in_fork(start_in_fork) -> Callable[..., int]:
    """``train_in_fork(folder, runs, config, where, count)``: train in a fork of the fork server.

    See ``signclip/training/killed_training.py``. Returns the exit status; -9: killed.
    """

    def train(*arguments: Any) -> int:
        process = start_in_fork("killed_training:train", *arguments)
        process.join()
        return process.exitcode

    return train


BuildOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def build_once(tmp_path_factory) -> BuildOnce:
    """``build_once(name, build)``: the folder that ``build(folder)`` filled, once for all workers.

    Not to be changed by a test.
    """
    base = tmp_path_factory.getbasetemp()
    shared_base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, build: Callable[[Path], object]) -> Path:
        target, finished = shared_base / name, shared_base / f"{name}.finished"
        with FileLock(shared_base / f"{name}.lock"):
            if not finished.exists():
                shutil.rmtree(target, ignore_errors=True)  # of a worker that failed
                target.mkdir()
                build(target)
                finished.touch()
        return target

    return folder


class Embedded(NamedTuple):
    """The embedded corpus: its tables and the folder that its paths are relative to."""

    manifest: pd.DataFrame
    dropped: pd.DataFrame
    splits: pd.DataFrame
    root: Path


@pytest.fixture(scope="session")
def embedded() -> Embedded:
    """The embedded corpus, built in about 1.5 s. Copy a table before you change it."""
    manifest, dropped = corpora.build(EMBEDDED, progress=False)
    return Embedded(manifest, dropped, splits.build(manifest), corpora.root(EMBEDDED))


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """``shared("data/asl-words")``: a path beside the checkout, or a skip where it is absent."""

    def path(part: str) -> Path:
        if not (SHARED / part).exists():
            pytest.skip(f"no ../shared/{part} beside the checkout")
        return SHARED / part

    return path


def _pose(
    *,
    frames: int = 5,
    seed: int = 0,
    hands: Iterable[str] = ("LEFT", "RIGHT"),
    components: Iterable[str] = COMPONENTS,
    irises: bool = False,
    people: int = 1,
    fps: float = 25.0,
) -> Pose:
    """A made-up Holistic pose in pixels of a 640 x 480 picture; z is small, as in real files.

    Args:
        hands: which of LEFT and RIGHT are seen; the others' components are there, undetected.
        components: which components the file has at all (names without ``_LANDMARKS``; also
            POSE_WORLD).
        irises: 478 face points instead of 468.
    """
    rng = np.random.default_rng(seed)
    parts = [
        component
        for component in holistic_components(additional_face_points=10 if irises else 0)
        if component.name.removesuffix("_LANDMARKS") in components
    ]
    header = PoseHeader(0.2, PoseHeaderDimensions(640, 480, 0), parts)
    points = header.total_points()
    data = rng.uniform((0, 0, -1), (640, 480, 1), (frames, people, points, 3)).astype(np.float32)
    confidence = np.ones((frames, people, points), dtype=np.float32)
    start = 0
    for part in parts:
        here = slice(start, start + len(part.points))
        for side in ("LEFT", "RIGHT"):
            if part.name == f"{side}_HAND_LANDMARKS" and side not in hands:
                data[:, :, here], confidence[:, :, here] = 0, 0
            if part.name == "POSE_LANDMARKS":  # shoulders stay apart, whatever the draw
                shoulder = start + part.points.index(f"{side}_SHOULDER")
                data[:, :, shoulder, :2] = (400, 200) if side == "LEFT" else (240, 210)
        start = here.stop
    return Pose(header, NumPyPoseBody(fps, data, confidence))


@pytest.fixture(scope="session")
def make_pose() -> Callable[..., Pose]:
    """Makes a deterministic pose; see :func:`_pose` for the keyword arguments."""
    return _pose


def _bytes(pose: Pose) -> bytes:
    buffer = BytesIO()
    pose.write(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def pose_bytes() -> Callable[[Pose], bytes]:
    """Turns a pose into the bytes of its ``.pose`` file."""
    return _bytes


def _damaged() -> dict[str, bytes]:
    """File contents that must be refused, by what is wrong with them."""

    def changed(change: Callable[[Pose], None], **kwargs) -> bytes:
        pose = _pose(seed=99, **kwargs)
        change(pose)
        return _bytes(pose)

    def set_point(value: float) -> Callable[[Pose], None]:
        def change(pose: Pose) -> None:
            pose.body.data.data[2, 0, 40, 1] = value

        return change

    def hide(*names: str) -> Callable[[Pose], None]:
        def change(pose: Pose) -> None:
            for name in names:
                pose.body.confidence[:, :, pose.header.get_point_index("POSE_LANDMARKS", name)] = 0

        return change

    def never_together(pose: Pose) -> None:
        hide("LEFT_SHOULDER")(pose)
        right, left = (
            pose.header.get_point_index("POSE_LANDMARKS", f"{side}_SHOULDER")
            for side in ("RIGHT", "LEFT")
        )
        pose.body.confidence[:2, :, left] = 1
        pose.body.confidence[:2, :, right] = 0

    def coincide(pose: Pose) -> None:
        right, left = (
            pose.header.get_point_index("POSE_LANDMARKS", f"{side}_SHOULDER")
            for side in ("RIGHT", "LEFT")
        )
        pose.body.data.data[:, :, left] = pose.body.data.data[:, :, right]

    whole = _bytes(_pose(seed=99))
    return {
        "empty": b"",
        "zero bytes": bytes(len(whole)),
        "not a pose": b"id,path,text\n" * 100,
        "first byte only": whole[:1],
        "cut in the header": whole[:300],
        "cut behind the header": whole[: len(_bytes(_pose(frames=0)))],
        "cut in the coordinates": whole[: len(whole) // 2],
        "cut in the confidences": whole[:-1000],
        "last byte missing": whole[:-1],
        "bytes left over": whole + bytes(64),
        "absurd coordinate": changed(set_point(3e30)),
        "NaN confidence": changed(lambda pose: pose.body.confidence.__setitem__((1, 0, 7), np.nan)),
        "NaN frame rate": _bytes(_pose(seed=99, fps=np.nan)),
        "frame rate zero": _bytes(_pose(seed=99, fps=0.0)),
        "zero frames": _bytes(_pose(seed=99, frames=0)),
        "two people": _bytes(_pose(seed=99, people=2)),
        "nobody": _bytes(_pose(seed=99, people=0)),
        "nothing detected": changed(lambda pose: pose.body.confidence.fill(0)),
        "shoulders never seen": changed(hide("LEFT_SHOULDER", "RIGHT_SHOULDER")),
        "shoulders never together": changed(never_together),
        "shoulders coincide": changed(coincide),
        "neither body nor hands": _bytes(_pose(seed=99, components=("FACE",))),
    }


DAMAGED = _damaged()


@pytest.fixture(params=list(DAMAGED), ids=lambda kind: kind.replace(" ", "-"))
def damaged_kind(request) -> str:
    """Each kind of damage, one test each."""
    return request.param


@pytest.fixture(scope="session")
def damaged() -> dict[str, bytes]:
    """Kind of damage -> file content."""
    return DAMAGED


class FolderCorpus:
    """A folder corpus in the making: ``add`` clips, then ``write`` its manifest.csv."""

    columns = ("id", "path", "text", "sign_language", "spoken_language", "signer", "split")

    def __init__(self, root: Path):
        self.root = root
        self.rows: list[dict[str, str]] = []
        root.mkdir()

    def add(self, clip: str, content: bytes | None, **changes: str) -> dict[str, str]:
        """A row, and its file unless ``content`` is None."""
        row = {
            "id": clip,
            "path": f"{clip}.pose",
            "text": "water",
            "sign_language": "ase",
            "spoken_language": "en",
            "signer": "s1",
            "split": "train",
            **changes,
        }
        self.rows.append(row)
        if content is not None:
            (self.root / row["path"]).write_bytes(content)
        return row

    def write(self) -> Path:
        """Write manifest.csv; returns the folder."""
        pd.DataFrame(self.rows, columns=list(self.columns)).to_csv(
            self.root / "manifest.csv", index=False
        )
        return self.root


@pytest.fixture
def folder_corpus(tmp_path) -> FolderCorpus:
    """An empty folder corpus in a temporary folder."""
    return FolderCorpus(tmp_path / "clips")


@pytest.fixture
def good_clips(folder_corpus) -> FolderCorpus:
    """A folder corpus of three whole clips, one a split."""
    for seed, split in enumerate(("train", "validation", "test")):
        folder_corpus.add(f"good-{seed}", _bytes(_pose(seed=seed, frames=3 + seed)), split=split)
    folder_corpus.write()
    return folder_corpus


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window; one for all tests, since Playwright starts once."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium, or name one in CHROMIUM")
    with sync_api.sync_playwright() as running:
        try:
            # --no-sandbox: as root, as in containers, Chromium starts in no other way
            started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"chromium does not start: {str(error).splitlines()[0]}")
        yield started
        started.close()
