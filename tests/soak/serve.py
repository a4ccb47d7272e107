"""A server under load: 2,000 requests of mixed kinds from 8 clients, then its own OpenAPI fuzzed.

    python -m tests.soak.serve                            # a tiny model and index, made here
    python -m tests.soak.serve --model RUN --index INDEX  # your own

Decisions
* The server is a process of its own, started as a user starts it; its memory is what the system
  reports for it (resident set), after 200 and after all requests.
* A fixed share of the requests is damaged or over a limit, and must be answered 4xx; all others
  must be answered 200. Every answer must be JSON without NaN.
* Clients wait for their answer before they send the next request, so latencies include waiting for
  the other seven.

Cost: two minutes on 2 cores, most of it the requests that schemathesis makes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from signclip.poses import read_pose
from signclip.search import Index
from tests.conftest import _bytes, _pose

CLIENTS, REQUESTS, FIRST = 8, 2_000, 200
MOST_GROWTH = 0.10  # of memory from the first FIRST requests on
RAW = {"content-type": "application/octet-stream"}


class Kind(NamedTuple):
    """A kind of request, and the status that it must be answered with."""

    name: str
    method: str
    path: str
    options: dict
    status: int = 200


class Answer(NamedTuple):
    """What became of a request; ``problem`` is empty where all is as it must be."""

    kind: str
    seconds: float
    problem: str


def kinds(clips: list[bytes], texts: list[str], tag: str) -> list[Kind]:
    """The requests that are sent in turn."""
    whole = clips[0]
    tagged = {"sign_language": tag}
    found = [
        Kind("embed text", "POST", "/v1/embed/text", {"json": {"texts": texts[:4], **tagged}}),
        Kind("search text", "POST", "/v1/search", {"json": {"text": texts[0], **tagged}}),
        Kind("skeleton", "GET", "/v1/signs/0/skeleton", {}),
        Kind("health", "GET", "/healthz", {}),
        Kind("page", "GET", "/", {}),
        Kind("damaged", "POST", "/v1/embed/pose", {"content": whole[:-9], "headers": RAW}, 422),
        Kind("unknown tag", "POST", "/v1/embed/text", {"json": {"texts": ["<en> <lis> a"]}}, 422),
        Kind("too many", "POST", "/v1/embed/text", {"json": {"texts": ["a"] * 65}}, 413),
    ]
    for clip in clips:
        found.append(
            Kind("embed clip", "POST", "/v1/embed/pose", {"content": clip, "headers": RAW})
        )
        found.append(Kind("search clip", "POST", "/v1/search", {"content": clip, "headers": RAW}))
        files = [("clip", ("a.pose", clip)), ("clip", ("b.pose", whole))]
        found.append(Kind("embed form", "POST", "/v1/embed/pose", {"files": files}))
    return found


def send(client: httpx.Client, kind: Kind) -> Answer:
    """One request and its answer."""
    start = time.perf_counter()
    problem = ""
    try:
        answer = client.request(kind.method, kind.path, **kind.options)
        if answer.status_code != kind.status:
            problem = f"{answer.status_code}, not {kind.status}: {answer.text[:200]}"
        elif kind.path != "/":
            value = json.loads(answer.content, parse_constant=_refuse)
            if kind.status != 200 and list(value) != ["error"]:
                problem = f"not an error: {answer.text[:200]}"
    except (httpx.HTTPError, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
    return Answer(kind.name, time.perf_counter() - start, problem)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} in JSON")


def load(address: str, given: list[Kind], requests: int, clients: int = CLIENTS) -> list[Answer]:
    """Send the kinds in turn from several clients at once."""
    settings = dict(base_url=address, timeout=60, trust_env=False)
    connections = [httpx.Client(**settings) for _ in range(clients)]

    def one(client: int) -> list[Answer]:
        return [
            send(connections[client], given[i % len(given)])
            for i in range(client, requests, clients)
        ]

    with ThreadPoolExecutor(clients) as pool:
        found = [answer for answers in pool.map(one, range(clients)) for answer in answers]
    for connection in connections:
        connection.close()
    return found


def requests_of_schema(address: str, *, examples: int) -> Counter[int]:
    """Requests that schemathesis makes from the server's OpenAPI; how often each status came.

    Both valid and invalid ones; each answer must be one that is described. That valid ones are
    accepted is not checked, since random bytes are no clip and random tags no language.

    Raises:
        Exception: an answer that is not as described (schemathesis names the request).
    """
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable

    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    left_out = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    seen: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=examples,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
                deadline=None,
                derandomize=True,
            )
            @given(case=strategy)
            def check(case) -> None:
                answer = case.call_and_validate(excluded_checks=left_out)
                seen[answer.status_code] += 1

            with suppress(Unsatisfiable):  # nothing about it can be invalid
                check()
    return seen


class Server(NamedTuple):
    """A server as a process."""

    process: subprocess.Popen
    address: str

    @property
    def memory(self) -> float:
        """Resident set, MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def started(model: Path, index: Path, *options: str) -> Iterator[Server]:
    """Start ``signclip serve`` on a free port; stop it with SIGTERM."""
    command = [sys.executable, "-m", "signclip", "serve", str(model), "--index", str(index)]
    process = subprocess.Popen(
        [*command, "--port", "0", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("serving on "))
        yield Server(process, line.split()[-1])
        process.send_signal(signal.SIGTERM)
        if status := process.wait(60):
            raise SystemExit(f"the server ended with status {status}")
    finally:
        process.kill()
        process.wait()


def make(folder: Path) -> tuple[Path, Path]:
    """A tiny model of random weights and an index of 20 clips: their folders."""
    import torch

    from signclip import checkpoint, search
    from signclip.inference import SignCLIPModel
    from signclip.model.config import ModelConfig
    from signclip.model.towers import SignCLIP
    from signclip.text import SPECIAL_TOKENS, Tokenizer

    (folder / "clips").mkdir()
    (folder / "vocabulary").mkdir()
    pieces = [*SPECIAL_TOKENS, "<", ">", *"abcdefghijklmnopqrstuvwxyz"]
    pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocabulary/vocab.txt").write_text("\n".join(pieces) + "\n")
    sizes = dict(hidden_size=64, attention_heads=4, intermediate_size=128, pose_layers=2)
    sizes |= dict(text_layers=2, max_frames=64, max_tokens=40, position_embeddings=128)
    torch.manual_seed(0)
    towers = SignCLIP(ModelConfig(frame_dims=609, vocab_size=len(pieces), **sizes))
    prompt = "<{spoken_language}> <{sign_language}> {text}"
    tokenizer = Tokenizer.load(folder / "vocabulary")
    run = checkpoint.Run(None, towers, tokenizer, {}, "reduced_face", prompt)
    model = SignCLIPModel(run)
    model.save_pretrained(folder / "model")
    rows = ["id,path,text,sign_language,spoken_language,signer,split"]
    for seed in range(20):
        content = _bytes(_pose(seed=seed, frames=10 + 4 * seed))
        (folder / f"clips/c{seed}.pose").write_bytes(content)
        rows.append(f"c{seed},c{seed}.pose,{'abcdefghij'[seed % 10]},ase,en,s1,test")
    (folder / "clips/manifest.csv").write_text("\n".join(rows) + "\n")
    search.build(search.find_clips([folder / "clips"]), model, folder / "index", progress=False)
    return folder / "model", folder / "index"


def requests_of(index: Path) -> list[Kind]:
    """Requests with clips, texts and the largest language of an index."""
    opened = Index.open(index)
    rows = [opened.hit(row) for row in np.linspace(0, len(opened) - 1, 4).astype(int).tolist()]
    clips = [_bytes(read_pose(hit.path)) for hit in rows]
    tag = next(iter(opened.languages))
    texts = [text for text, language in opened.texts() if language == tag][:4]
    return kinds(clips, texts, tag)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--examples", type=int, default=300, help="of schemathesis, per operation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, index = options.model, options.index
        if model is None or index is None:
            model, index = make(Path(folder))
        given = requests_of(index)
        with started(model, index) as server:
            first = load(server.address, given, FIRST)
            before = server.memory
            begun = time.perf_counter()
            rest = load(server.address, given, options.requests - FIRST)
            seconds = time.perf_counter() - begun
            after = server.memory
            report([*first, *rest], len(rest) / seconds)
            growth = after / before - 1
            print(
                f"memory: {before:.0f} MB after {FIRST}, {after:.0f} MB after all ({growth:+.1%})"
            )
            problems = [f"{a.kind}: {a.problem}" for a in (*first, *rest) if a.problem]
            seen = requests_of_schema(server.address, examples=options.examples)
            print(f"schemathesis: {seen.total():,} requests; {dict(sorted(seen.items()))}")
    for problem in problems[:20]:
        print(problem)
    if problems or growth > MOST_GROWTH:
        raise SystemExit(f"{len(problems)} wrong answers, memory {growth:+.1%}")
    print(f"{options.requests:,} requests, {CLIENTS} clients: no error")


def report(answers: list[Answer], rate: float) -> None:
    """Print latencies by kind."""
    print(f"{rate:.0f} requests a second; latency in ms:")
    print(f"{'':12} {'requests':>8} {'median':>8} {'95 %':>8} {'99 %':>8} {'most':>8}")
    names = sorted({answer.kind for answer in answers})
    for name in (*names, "all"):
        times = [1000 * a.seconds for a in answers if name in (a.kind, "all")]
        shown = " ".join(f"{value:8.1f}" for value in np.percentile(times, (50, 95, 99, 100)))
        print(f"{name:12} {len(times):8,} {shown}")


if __name__ == "__main__":
    main()
