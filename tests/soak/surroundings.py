"""Commands where a usual surrounding is missing: locale, home, identity, network; and flipped bits.

Decisions
* Each command must do the same as usual, or be refused in one line; a warning of a library is no
  fault.
* Bits are flipped in one file of each kind at once, so that `signclip verify` has to name every
  one of them and nothing else.

Cost: a minute or two, most of it imports of torch.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signclip.core.verify import LISTINGS
from tests.conftest import _bytes, _pose
from tests.soak.cases import Case, Skipped, refused, succeeded
from tests.soak.checkout import CORPUS, DVC, Checkout, Failed, content, same

MODEL = Path("runs/fingerclip/E3.2/0/letters-0")
PLACE = "señas y más"  # blanks, and characters that ASCII lacks
C_LOCALE = {"LC_ALL": "C", "LANG": "C"}
ASCII = C_LOCALE | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOBODY = {
    **dict.fromkeys(("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
NO_NETWORK = ("unshare", "--net")


def cases() -> list[Case]:
    """The cases of this module."""
    return [
        Case("C locale, clips with blanks and ñ in their paths", clips_in_c_locale),
        Case("C locale, the checkout itself in such a folder", checkout_in_c_locale),
        Case("no home, no user name, no git identity", without_home),
        Case("no network", without_network),
        Case("flipped bits in each kind of output", flipped_bits),
        Case("a flipped bit in DVC's cache", flipped_cache),
    ]


def make_clips(folder: Path, count: int = 12) -> Path:
    """A folder of clips with a manifest; names and ids are not ASCII."""
    folder.mkdir(parents=True)
    rows = ["id,path,text,sign_language,spoken_language,signer,split"]
    for seed in range(count):
        name = f"seña {seed}.pose"
        (folder / name).write_bytes(_bytes(_pose(seed=seed, frames=10 + seed)))
        split = ("train", "validation", "test")[seed % 3]
        rows.append(f"ñ{seed},{name},{'abcd'[seed % 4]},ase,en,s{seed},{split}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def clips_in_c_locale(copy: Checkout) -> str:
    """From a folder of clips to a corpus, a store, embeddings, an index, a page and a model."""
    place = copy.root / PLACE
    try:
        clips = make_clips(place / "mis vídeos")
        data, features = place / "datos", place / "rasgos"
        built = ("--name", "señas", "--data", data, "--features", features)
        words: list[list[str | Path]] = [
            ["corpora", "build", "folder", "--path", clips, "--out", data / "señas"],
            ["pack", "folder", "--path", clips, "--variant", "dominant_hand", *built],
            ["embed", MODEL, clips, "--out", place / "n ñ.npz", "--text", "<en> <ase> ñ"],
            ["index", clips, "--model", MODEL, "--out", place / "índice"],
            ["search", place / "índice", "a", "--sign-language", "ase", "--show", place / "ñ.html"],
            ["score", clips / "seña 0.pose", "a", "b", "--model", MODEL, "--sign-language", "ase"],
            ["train", "--corpus", clips, "--init", MODEL, "--runs", place / "modelos", "--profile"],
            ["verify", place],
        ]
        words[6] += ["smoke", "--data", data, "--features", features]
        for command in words:
            result = copy.signclip(*command, env=C_LOCALE)
            if result.status or "Traceback" in result.text:
                raise Failed(f"signclip {command[0]}: {result.last}")
        line = refused(copy.signclip(*words[0], env=ASCII), "set PYTHONUTF8=1")
        for command in words[2:]:
            result = copy.signclip(*command, env=ASCII)
            if "Traceback" in result.text:
                raise Failed(f"PYTHONUTF8=0: signclip {command[0]}: {result.last}")
        return f"{len(words)} commands work; with PYTHONUTF8=0: {line[-80:]}"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def checkout_in_c_locale(copy: Checkout) -> str:
    """The last stage and the checks, in a checkout that was moved."""
    moved = Checkout(copy.root.parent / PLACE)
    os.replace(copy.root, moved.root)
    try:
        succeeded(moved.signclip("verify", env=ASCII))
        return _paper_again(moved, env=C_LOCALE)
    finally:
        os.replace(moved.root, copy.root)


def without_home(copy: Checkout) -> str:
    """The last stage, and results and an import by hand, which record a commit."""
    for home in (None, "/nonexistent"):
        said = _paper_again(copy, env=NOBODY | {"HOME": home})
    command = ["evaluate", "nearest-neighbour", "--split", "letters", "--profile", "smoke"]
    succeeded(copy.signbench(*command, env=NOBODY))
    return f"{said}; an evaluation, too"


def without_network(copy: Checkout) -> str:
    """What needs no network works; what does says so."""
    if subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode:
        raise Skipped("`unshare --net` needs root")
    said = _paper_again(copy, prefix=NO_NETWORK)
    with _clip(copy) as clip:
        out = clip.with_suffix(".npz")
        succeeded(copy.signclip("embed", MODEL, clip, "--out", out, prefix=NO_NETWORK))
    before = (copy.root / "params.yaml").read_bytes()
    line = refused(copy.signbench("open-corpora", prefix=NO_NETWORK))
    if (copy.root / "params.yaml").read_bytes() != before:
        raise Failed("params.yaml was changed although nothing was fetched")
    return f"{said}; a download is refused: {line[:150]}"


@contextmanager
def _clip(copy: Checkout) -> Iterator[Path]:
    folder = copy.root / "one clip"
    try:
        yield next(make_clips(folder, 1).glob("*.pose"))
    finally:
        shutil.rmtree(folder)


def _paper_again(copy: Checkout, **how: object) -> str:
    """Make tables, figures and the report again: the same files as before."""
    outs = copy.stages()["paper"]
    before = content(copy.root, outs)
    copy.forget("paper")
    try:
        result = copy.repro("paper", **how)
        if result.status:
            raise Failed(f"dvc repro paper: {result.text[-400:]}")
        same(before, content(copy.root, outs))
        succeeded(copy.signclip("verify", **how))
    except Failed:
        copy.repro("paper")  # for the cases that follow
        raise
    return f"`dvc repro paper` wrote the same {len(before)} files"


KINDS = (
    *("data/*/manifest.parquet", "data/*/splits.parquet", "data/*/dropped.csv"),
    *("features/*/*/features.bin", "features/*/*/valid.bin", "features/*/*/index.parquet"),
    *("runs/*/*/*/*/model.safetensors", "runs/*/*/*/*/config.yaml", "runs/*/*/*/*/losses.csv"),
    *("embeddings/**/*.npz", "predictions/**/*.parquet"),
    *("results/leaderboard/repro/*/*/*.json", "results/points/*.csv", "results/tables/*.csv"),
    *("results/tables/*.md", "results/tables/*.tex", "results/figures/*.png"),
    *("results/costs/*.csv", "results/report/*.html", "results/corpora/*.md"),
    *("features/*/*/meta.json", "runs/*/*/*/*/metrics.json"),
)


def flipped_bits(copy: Checkout) -> str:
    """One bit of one file of each kind: `signclip verify` names each of them."""
    rng = random.Random(0)
    chosen: list[Path] = []
    for kind in KINDS:
        there = sorted(copy.root.glob(kind))
        if kind.endswith(LISTINGS):  # a listing that is damaged says nothing of the files beside it
            used = {path.parent for path in chosen}
            there = [path for path in there if path.parent not in used]
        chosen.append(rng.choice(there))
    before = {path: path.read_bytes() for path in chosen}
    try:
        for path, data in before.items():
            path.write_bytes(_flipped(data, rng))
        result = copy.signclip("verify")
        if not result.status or "Traceback" in result.text:
            raise Failed(f"exit status {result.status}: {result.last}")
        damaged = [line for line in result.text.splitlines() if line.startswith("damaged: ")]
        names = {path.relative_to(copy.root).as_posix() for path in chosen}
        missed = sorted(n for n in names if not any(f" {n}:" in line for line in damaged))
        if missed:
            raise Failed(f"not named: {', '.join(missed)}")
        # a digest in a listing may have changed, which is that of a file beside it
        beside = [f" {Path(name).parent}/" for name in names if name.endswith(LISTINGS)]
        known = (*(f" {name}:" for name in names), *beside)
        if others := [line for line in damaged if not any(one in line for one in known)]:
            raise Failed(f"named, but unchanged: {others[0]}")
    finally:
        for path, data in before.items():
            path.write_bytes(data)
    copy.verify()
    return f"{len(names)} of {len(names)} files are named, and no others"


def _flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def flipped_cache(copy: Checkout) -> str:
    """DVC restores an output from its damaged cache without a word; `signclip verify` names it."""
    manifest = copy.root / "data" / CORPUS / "manifest.parquet"
    whole = manifest.read_bytes()
    cached = [p for p in (copy.root / ".dvc/cache/files").rglob("*") if _holds(p, whole)]
    if len(cached) != 1:
        raise Failed(f"{len(cached)} files of the cache hold the manifest")
    mode = cached[0].stat().st_mode
    cached[0].chmod(0o644)
    cached[0].write_bytes(_flipped(whole, random.Random(1)))
    shutil.rmtree(manifest.parent)
    try:
        checkout = copy.run(*DVC, "checkout", "--force", f"data/{CORPUS}")
        if checkout.status:
            return f"`dvc checkout` refuses: {checkout.last[:200]}"
        result = copy.signclip("verify", "data")
        line = f"{manifest.relative_to(copy.root)}: content differs"
        if not result.status or line not in result.text:
            raise Failed(f"signclip verify: {result.last}")
        return f"`dvc checkout` says nothing, `signclip verify` names {manifest.name}"
    finally:
        cached[0].write_bytes(whole)
        cached[0].chmod(mode)
        shutil.rmtree(manifest.parent, ignore_errors=True)
        succeeded(copy.run(*DVC, "checkout", "--force", f"data/{CORPUS}"))


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
