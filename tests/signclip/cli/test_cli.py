"""The command ``signclip``: same as the library; one line and status 2 for what input can cause."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pandas as pd
import pytest
import typer.main

from signclip import cli, corpora, poses
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.corpora import manifest, splits
from signclip.features import store

COMMAND = typer.main.get_command(cli.app)


def commands(group=COMMAND, path=()) -> Iterator[tuple[str, ...]]:
    """Every command and sub-command, the root apart."""
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def signclip(monkeypatch, capsys, tmp_path) -> Callable[..., Outcome]:
    """Runs the entry point in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["signclip", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return Outcome(status, *capsys.readouterr())

    return run


def refused(outcome: Outcome) -> str:
    """The one line of a refusal; what a progress bar printed before it is no part of it."""
    assert outcome.status == 2, outcome
    assert outcome.out == ""
    assert outcome.err.endswith("\n")
    (line,) = (line for line in outcome.err[:-1].split("\n") if not line.startswith("\r"))
    assert line.startswith("signclip: ")
    return line


# Help


def test_the_commands_are_found():
    of_corpora = {("corpora", name) for name in ("show", "build", "enable", "fetch", "card")}
    assert {("corpora",), *of_corpora, ("pack",), ("verify",)} <= set(commands())


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_the_help_of_every_command_holds_examples_that_it_understands(signclip, path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # so that no example is wrapped
    outcome = signclip(*path, "--help")
    assert outcome.status == 0
    examples = [
        line.split("Example: ")[1].strip(" `│")
        for line in outcome.out.splitlines()
        if "Example: " in line
    ]
    assert examples
    for example in examples:
        called, *arguments = shlex.split(example.partition("-m ")[2] or example)  # behind torchrun
        assert called == "signclip"
        assert tuple(arguments[: len(path)]) == path
        command = COMMAND
        for name in path:
            command = command.commands[name]
        context = command.make_context(path[-1], arguments[len(path) :])  # raises if it cannot
        assert not context.args


def test_help_imports_neither_torch_nor_pandas():
    slow = "('torch', 'pandas', 'numpy', 'transformers', 'pose_format', 'yaml')"
    code = f"""if True:
        import sys
        from signclip import cli
        sys.argv = ["signclip", "train", "--help"]
        try:
            cli.main()
        except SystemExit:
            print([name for name in {slow} if name in sys.modules], file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_without_arguments_the_help_is_shown(signclip):
    outcome = signclip()
    assert all(name in outcome.out + outcome.err for name in ("corpora", "pack", "verify"))


# Corpora


def test_corpora_are_listed_by_the_names_that_other_commands_take(signclip):
    outcome = signclip("corpora")
    assert outcome.status == 0
    for name in corpora.LOADERS:
        assert name in outcome.out


@pytest.mark.parametrize("name", corpora.LOADERS)
def test_show_says_what_a_corpus_is_its_licence_and_how_to_get_it(signclip, name):
    outcome = signclip("corpora", "show", name)
    about = corpora.loader(name).about
    assert outcome.status == 0
    for text in (about.title, f"licence: {about.licence}", about.layout, "found"):
        assert text in outcome.out
    if not about.installed:
        assert about.instructions() in outcome.out
        assert f"`signclip corpora enable {'NAME' if name == 'folder' else name} FO" in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "rwth"),
        ("build", "rwth"),
        ("fetch", "rwth", "--to", "x"),
        ("card", "rwth"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_unknown_corpus_is_one_line(signclip, arguments):
    line = refused(signclip("corpora", *arguments))
    assert "'rwth'" in line
    assert "folder" in line


def test_a_corpus_is_enabled_by_one_command_and_then_needs_no_path(signclip, good_clips, tmp_path):
    (tmp_path / "params.yaml").write_text("seed: 0\ncorpora: {}\n")
    assert refused(signclip("corpora", "enable", "mine", "nowhere")) == (
        "signclip: mine: nowhere is not there; a folder with manifest.csv is expected"
    )
    outcome = signclip("corpora", "enable", "mine", good_clips.root)
    assert outcome.status == 0
    assert "`signclip corpora build mine`" in outcome.out
    (row,) = (line for line in signclip("corpora").out.splitlines() if line.startswith("mine"))
    assert row.split()[1:5] == ["yes", "(?)", "(?)", "(?)"]
    assert "found: " in signclip("corpora", "show", "mine").out
    assert signclip("corpora", "build", "mine").status == 0
    (row,) = (line for line in signclip("corpora").out.splitlines() if line.startswith("mine"))
    assert row.split()[1:5] == ["yes", "3", "1", "1"]
    assert signclip("pack", "mine", "--variant", "both_hands", "--jobs", 2).status == 0
    outcome = signclip("corpora", "card", "mine")
    assert outcome.out.split() == [f"results/corpora/mine.{x}" for x in ("md", "png", "csv")]


def test_loader_and_use_can_be_given(signclip, good_clips, tmp_path):
    (tmp_path / "params.yaml").write_text("corpora: {}\n")
    options = ("--loader", "folder", "--use", "pretraining", "--use", "transfer")
    assert signclip("corpora", "enable", "wlasl", good_clips.root, *options).status == 0
    entry = f"{{loader: folder, path: {good_clips.root}, use: [pretraining, transfer]}}"
    assert (tmp_path / "params.yaml").read_text() == f"corpora:\n  wlasl: {entry}\n"
    (row,) = (line for line in signclip("corpora").out.splitlines() if line.startswith("wlasl"))
    assert row.split()[1:5] == ["yes", "(?)", "(?)", "(?)"]
    assert signclip("corpora", "build", "wlasl").status == 0
    assert signclip("corpora", "enable", "wlasl", "x", "--use", "test").status == 2


def test_another_params_file_can_be_given(signclip, good_clips, tmp_path):
    params = tmp_path / "other.yaml"
    params.write_text("corpora: {}\n")
    given = ("--params", params)
    assert signclip("corpora", "enable", "mine", good_clips.root, *given).status == 0
    assert signclip("corpora", "build", "mine", *given).status == 0
    assert signclip("pack", "mine", "--variant", "both_hands", *given).status == 0
    assert "unknown corpus 'mine'" in refused(signclip("corpora", "build", "mine"))


def test_an_enabled_corpus_whose_folder_is_gone_is_listed_with_its_path(signclip, tmp_path):
    (tmp_path / "params.yaml").write_text("corpora: {wlasl: {loader: wlasl, path: gone}}\n")
    (row,) = (line for line in signclip("corpora").out.splitlines() if line.startswith("wlasl"))
    assert row.split()[1:6] == ["no", "(21,083)", "(1)", "(100)", "gone"]
    line = refused(signclip("corpora", "build", "wlasl"))
    assert "wlasl: gone is not there; a folder with WLASL_v0.3.json is expected" in line


def test_a_path_that_is_not_there_is_named_and_no_advice_repeats_the_command(signclip):
    line = refused(signclip("corpora", "enable", "asl-citizen", "/nope"))
    assert line.startswith("signclip: asl-citizen: /nope is not there")
    assert "enable" not in line
    line = refused(signclip("corpora", "build", "asl-citizen", "--path", "/nope"))
    assert line.startswith("signclip: asl-citizen: /nope is not there")
    line = refused(signclip("corpora", "build", "asl-citizen"))
    assert "`signclip corpora fetch asl-citizen --to FOLDER`" in line
    assert "`signclip corpora enable asl-citizen FOLDER`" in line


def test_building_says_who_signs_on_two_sides(signclip, good_clips):
    outcome = signclip("corpora", "build", "folder", "--path", good_clips.root)
    assert "split official: signers are shared: 1 of the 1" in outcome.out


@pytest.mark.parametrize("name", ["sem-lex", "spreadthesign"])
def test_fetching_what_needs_a_form_is_one_line_saying_what_to_do(signclip, name, tmp_path):
    line = refused(signclip("corpora", "fetch", name, "--to", "out"))
    assert "cannot be fetched by a command" in line
    assert f"signclip corpora enable {name} FOLDER" in line
    assert not (tmp_path / "out").exists()


def test_building_a_folder_corpus_writes_manifest_splits_and_dropped_clips(
    signclip, good_clips, damaged, tmp_path
):
    good_clips.add("broken", damaged["zero frames"])
    outcome = signclip(
        "corpora", "build", "folder", "--path", good_clips.write(), "--out", "data/mine"
    )
    assert outcome.status == 0
    assert "3 clips, 1 sign languages, 1 dropped" in outcome.out
    assert "dropped 1: no frames" in outcome.out
    clips = manifest.read(tmp_path / "data/mine")
    assert clips["id"].tolist() == ["good-0", "good-1", "good-2"]
    roles = splits.read(tmp_path / "data/mine", "official")
    assert roles["role"].tolist() == ["train", "validation", "test"]
    dropped = pd.read_csv(tmp_path / "data/mine/dropped.csv")
    assert dropped.values.tolist() == [["broken", "broken.pose", "no frames"]]


@pytest.mark.slow
def test_the_embedded_corpus_builds_to_the_same_bytes_twice(signclip, embedded, tmp_path):
    for out in ("one", "other"):
        outcome = signclip("corpora", "build", "spreadthesign-fingerspelling", "--out", out)
        assert outcome.status == 0
        assert "600 clips, 19 sign languages, 26 dropped" in outcome.out
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {"manifest.parquet", "dropped.csv", "splits.parquet", "meta.json"}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "dev"}, "bad: split 'dev'"),
        ({"sign_language": "lis"}, "did you mean ise (Italian Sign Language)"),
        ({"id": "good-0"}, "good-0: this id occurs more than once"),
        ({"text": ""}, "bad: empty text"),
    ],
)
def test_a_bad_row_is_one_line_and_an_earlier_corpus_stays(
    signclip, good_clips, tmp_path, changes, message
):
    arguments = ("corpora", "build", "folder", "--path", good_clips.root, "--out", "data/mine")
    assert signclip(*arguments).status == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "data/mine").iterdir()}
    good_clips.add("bad", None, **changes)
    good_clips.write()
    assert message in refused(signclip(*arguments))
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "data/mine").iterdir()}


def test_a_missing_column_is_one_line(signclip, good_clips):
    pd.DataFrame(good_clips.rows).drop(columns="signer").to_csv(
        good_clips.root / "manifest.csv", index=False
    )
    line = refused(signclip("corpora", "build", "folder", "--path", good_clips.root))
    assert "column 'signer' is missing" in line


def test_a_corpus_of_damaged_clips_alone_is_one_line_and_leaves_nothing(
    signclip, folder_corpus, damaged, tmp_path
):
    for i, kind in enumerate(("empty", "NaN confidence")):
        folder_corpus.add(f"broken-{i}", damaged[kind])
    line = refused(signclip("corpora", "build", "folder", "--path", folder_corpus.write()))
    assert "2 dropped" in line
    assert not (tmp_path / "data" / "folder").exists()


def test_splits_that_a_corpus_does_not_allow_leave_no_half_of_a_corpus(
    signclip, good_clips, monkeypatch, tmp_path
):
    def refusing(clips):
        raise ConfigError("no such luck")

    monkeypatch.setattr(splits, "build", refusing)
    refused(signclip("corpora", "build", "folder", "--path", good_clips.root))
    assert not (tmp_path / "data" / "folder").exists()


@pytest.mark.parametrize("arguments", [(), ("--path", "nowhere")])
def test_a_corpus_that_is_not_there_is_one_line_saying_how_to_get_it(signclip, arguments):
    line = refused(signclip("corpora", "build", "folder", *arguments))
    assert "manifest.csv" in line


def test_a_corpus_that_another_process_writes_is_one_line(signclip, good_clips, tmp_path):
    with files.writing(tmp_path / "data" / "folder"):
        line = refused(signclip("corpora", "build", "folder", "--path", good_clips.root))
    assert "another process" in line


@pytest.mark.parametrize("arguments", [("--path", "data/folder"), ("--path", ".", "--out", ".")])
def test_a_corpus_is_never_built_over_its_own_clips(
    signclip, good_clips, tmp_path, monkeypatch, arguments
):
    """Without --out a corpus goes to data/folder, which is where somebody may keep the clips."""
    (tmp_path / "data").mkdir()
    clips = good_clips.root.rename(tmp_path / "data" / "folder")
    if "--out" in arguments:
        monkeypatch.chdir(clips)
    before = {path.name for path in clips.iterdir()}
    assert "choose another folder" in refused(signclip("corpora", "build", "folder", *arguments))
    assert {path.name for path in clips.iterdir()} == before


# Stores and runs


@pytest.fixture
def built(signclip, good_clips) -> Callable[..., Outcome]:
    """The entry point, beside a built folder corpus."""
    assert signclip("corpora", "build", "folder", "--path", good_clips.root).status == 0
    return signclip


def test_a_packed_store_is_the_librarys_and_verifies(built, good_clips, tmp_path):
    outcome = built("pack", "folder", "--path", good_clips.root, "--variant", "both_hands")
    assert outcome.status == 0
    assert "3 clips, 12 frames of 126 numbers" in outcome.out
    opened = store.FeatureStore(tmp_path / "features" / "folder" / "both_hands")
    pose = poses.read_pose(good_clips.root / "good-1.pose")
    assert (opened["good-1"].values == poses.preprocess(pose, "both_hands")).all()
    for arguments, count in (((), 2), (("features",), 1), ((opened.folder,), 1)):
        outcome = built("verify", *arguments)
        assert outcome.status == 0
        assert outcome.out.startswith(f"{count} ")
        assert outcome.out.endswith(" checked, 0 damaged\n")


def test_pack_takes_a_name_and_a_dtype(built, good_clips, tmp_path):
    (tmp_path / "data" / "folder").rename(tmp_path / "data" / "mine")
    outcome = built(
        *("pack", "folder", "--path", good_clips.root, "--name", "mine"),
        *("--variant", "right_hand", "--dtype", "float16"),
    )
    assert outcome.status == 0
    opened = store.FeatureStore(tmp_path / "features" / "mine" / "right_hand")
    assert opened.meta["dtype"] == "float16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--variant", "left_foot"), "unknown variant 'left_foot'"),
        (("--variant", "right_hand", "--dtype", "int8"), "unknown dtype 'int8'"),
        (("--variant", "right_hand", "--name", "other"), "no manifest here"),
        (("--variant", "right_hand", "--data", "other"), "no manifest here"),
    ],
)
def test_what_cannot_be_packed_is_one_line(built, good_clips, tmp_path, arguments, message):
    line = refused(built("pack", "folder", "--path", good_clips.root, *arguments))
    assert message in line
    assert not list(tmp_path.glob("features/*/[!.]*"))


def test_a_changed_clip_is_one_line(built, good_clips):
    (good_clips.root / "good-0.pose").write_bytes(b"other")
    line = refused(built("pack", "folder", "--path", good_clips.root, "--variant", "right_hand"))
    assert "good-0" in line
    assert "changed since the manifest was made" in line


def test_a_damaged_manifest_is_one_line(built, good_clips, tmp_path):
    (tmp_path / "data" / "folder" / manifest.MANIFEST_FILE).write_bytes(b"PAR1")
    line = refused(built("pack", "folder", "--path", good_clips.root, "--variant", "right_hand"))
    assert "not a Parquet file" in line


def test_verify_names_the_damaged_store_checks_the_others_and_fails(built, good_clips, tmp_path):
    for variant in ("right_hand", "both_hands"):
        assert built("pack", "folder", "--path", good_clips.root, "--variant", variant).status == 0
    path = tmp_path / "features" / "folder" / "both_hands" / store.FEATURES
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    outcome = built("verify", "features")
    assert outcome.status == 1
    assert outcome.out.startswith("2 ")
    assert outcome.out.endswith(" checked, 1 damaged\n")
    assert outcome.err.count("damaged: ") == 1
    assert str(path.relative_to(tmp_path)) in outcome.err


def test_verify_checks_what_a_run_lists_and_results_by_their_own_seal(signclip, tmp_path):
    run = tmp_path / "runs" / "E"
    run.mkdir(parents=True)
    (run / "tokenizer.json").write_text('{"a": 1}')
    digests = {"tokenizer.json": files.sha256_file(run / "tokenizer.json")}
    (run / "metrics.json").write_text(files.canonical_json({"sha256": digests}))
    result = tmp_path / "results" / "task.json"
    files.write_text(result, files.canonical_json(files.sealed({"score": 0.5})))
    assert signclip("verify").out.endswith("2 artefacts checked, 0 damaged\n")
    for path in (run / "tokenizer.json", result):
        whole = path.read_text()
        path.write_text(whole.replace("1", "2") if path.parent == run else whole.replace("5", "6"))
        outcome = signclip("verify")
        assert outcome.status == 1
        assert f"damaged: {path.relative_to(tmp_path)}" in outcome.err
        path.write_text(whole)
    (run / "metrics.json").unlink()
    (run / "model.safetensors").write_bytes(b"weights")
    assert "nothing beside it" in signclip("verify").err


def test_verifying_a_folder_that_is_not_there_is_one_line(signclip):
    assert "nowhere: no such folder" in refused(signclip("verify", "nowhere"))


def test_verifying_nothing_is_no_success(signclip, tmp_path):
    assert signclip("verify").status == 1
    assert signclip("verify", tmp_path).status == 1


# The process


def test_the_installed_command_exits_with_2_and_no_traceback(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-m", "signclip", "corpora", "show", "rwth"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("signclip: unknown corpus 'rwth'")
    assert outcome.stderr.count("\n") == 1
