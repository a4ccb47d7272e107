"""Local corpora: one entry of params.yaml changes, every other byte stays; paths come from it."""

from pathlib import Path

import pytest
import yaml

from signclip import corpora
from signclip.core.errors import ConfigError
from signclip.corpora import local

ROOT = Path(__file__).parents[3]
PARAMS = """# a comment
profile: cpu # another

corpora: # where they are
  my-words: {loader: folder, path: ../words, use: [transfer]} # mine
  asl-signs:
    loader: asl-signs
    path: kaggle
    use: [transfer, pretraining]

  # the last one
tuning:
  asl-signs: 3
"""
WLASL = "wlasl: {loader: wlasl, path: /w, use: [transfer]}"


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    return path


def write(params: Path, name: str, path: str, **options) -> str:
    """The text of ``params`` after ``enable``, which must change nothing but the entry."""
    before = yaml.safe_load(params.read_text()) or {}
    local.enable(name, path, params=params, **options)
    after = yaml.safe_load(params.read_text())
    entry = after["corpora"].pop(name)
    assert set(entry) == {"loader", "path", "use"}
    (before.get("corpora") or {}).pop(name, None)
    assert after == before | {"corpora": before.get("corpora") or {}}
    return params.read_text()


# Reading


def test_entries_have_loader_path_and_use(params):
    entries = local.entries(params)
    assert list(entries) == ["my-words", "asl-signs"]
    assert entries["my-words"].path == params.parent / "../words"  # relative to the file
    assert entries["asl-signs"].loader == "asl-signs"
    assert local.used_for("transfer", params) == ["my-words", "asl-signs"]
    assert local.used_for("pretraining", params) == ["asl-signs"]


def test_an_absolute_path_and_a_home_are_kept(params, monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    params.write_text("corpora: {a: {loader: folder, path: /x}, b: {loader: folder, path: ~/y}}")
    assert [entry.path for entry in local.entries(params).values()] == [Path("/x"), Path("/h/y")]


def test_an_empty_value_is_no_entry(params):
    params.write_text('corpora:\n  rwth-fs: ""\n  wlasl:\n')
    assert local.entries(params) == {}
    params.write_text("profile: cpu\n")
    assert local.entries(params) == {}
    assert local.entries(params.parent / "nowhere.yaml") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpora: 3\n", "section corpora must map names to corpora"),
        ("corpora: [a]\n", "section corpora must map names to corpora"),
        ("- a\n", "a mapping is expected"),
        ("a: [\n", "not YAML"),
        ("corpora: {a: ../a}\n", r"corpora, a: expected {loader: folder, path: FOLDER.*'\.\./a'"),
        ("corpora: {a: {path: x}}\n", "corpora, a: loader: Field required"),
        ("corpora: {a: {loader: folder}}\n", "corpora, a: path: Field required"),
        ("corpora: {a: {loader: folder, path: ''}}\n", "corpora, a: path: .*no path is given"),
        ("corpora: {a: {loader: flder, path: x}}\n", "unknown loader 'flder'; there are .*folder"),
        (
            "corpora: {a: {loader: folder, path: x, use: [test]}}\n",
            "'transfer' or 'open'",
        ),
        ("corpora: {a: {loader: folder, path: x, usage: []}}\n", "corpora, a: usage: "),
        ("corpora: {a.b: {loader: folder, path: x}}\n", "letters, digits, - and _ only"),
        (
            "corpora: {spreadthesign-fingerspelling: {loader: folder, path: x}}\n",
            "comes with a package; choose another name",
        ),
    ],
)
def test_a_wrong_section_is_one_error_naming_the_place(params, text, message):
    params.write_text(text)
    with pytest.raises(ConfigError, match=rf"params\.yaml.*{message}") as error:
        local.entries(params)
    assert "\n" not in str(error.value)


# Writing


def test_a_new_entry_follows_the_last_one(params):
    expected = PARAMS.replace("pretraining]\n", f"pretraining]\n  {WLASL}\n")
    assert write(params, "wlasl", "/w") == expected


def test_an_entry_is_replaced_and_its_comment_stays(params):
    old = "{loader: folder, path: ../words, use: [transfer]}"
    new = '{loader: folder, path: "/w: x", use: [pretraining]}'
    assert write(params, "my-words", "/w: x", use=["pretraining"]) == PARAMS.replace(old, new)


def test_an_entry_of_several_lines_becomes_one(params):
    block = PARAMS[PARAMS.index("  asl-signs:\n") : PARAMS.index("\n  # the last")]
    new = "  asl-signs: {loader: asl-signs, path: /k, use: [transfer]}\n"
    assert write(params, "asl-signs", "/k") == PARAMS.replace(block, new)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("profile: cpu", f"profile: cpu\n\ncorpora:\n  {WLASL}\n"),
        ("a: 1\ncorpora: {}\nb: 2\n", f"a: 1\ncorpora:\n  {WLASL}\nb: 2\n"),
        ("corpora: {} # none\n\nb: 2\n", f"corpora:  # none\n  {WLASL}\n\nb: 2\n"),
        ("corpora:", f"corpora:\n  {WLASL}\n"),
        ("corpora: # none\n  # yet\nb: 1\n", f"corpora: # none\n  {WLASL}\n  # yet\nb: 1\n"),
        ('corpora:\n  wlasl: ""  # not here\nb: 1\n', f"corpora:\n  {WLASL}  # not here\nb: 1\n"),
        ("corpora:\n  wlasl:\nb: 1\n", f"corpora:\n  {WLASL}\nb: 1\n"),
        (
            "corpora:\n    a: {loader: folder, path: x}",
            f"corpora:\n    a: {{loader: folder, path: x}}\n    {WLASL}\n",
        ),
        (
            "corpora: {a: {loader: folder, path: x}} # one line\n",
            f"corpora: {{a: {{loader: folder, path: x}}, {WLASL}}} # one line\n",
        ),
    ],
)
def test_every_form_of_the_section_is_changed_in_one_place(params, before, after):
    params.write_text(before)
    assert write(params, "wlasl", "/w") == after


@pytest.mark.parametrize("path", ["/my data/rwth: fs", "/a#b", "/a, b}", '/"a"', "/ä 'b'", "/[x]"])
def test_any_path_is_read_back_as_it_was_given(params, path):
    write(params, "mine", path)
    assert local.entries(params)["mine"].path == Path(path)


def test_a_relative_path_is_stored_relative_to_the_file(params, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(params, "mine", "clips")
    assert "path: here/clips," in params.read_text()
    assert local.entries(params)["mine"].path.resolve() == tmp_path / "here" / "clips"


def test_line_ends_stay(params):
    params.write_bytes(b"a: 1\r\ncorpora: {}\r\nb: 2\r\n")
    local.enable("wlasl", "/w", params=params)
    assert params.read_bytes().count(b"\r\n") == 3
    assert list(local.entries(params)) == ["wlasl"]


def test_what_cannot_be_written_leaves_the_file(params):
    params.write_text("base: &base {wlasl: {loader: wlasl, path: /v}}\ncorpora: *base\n")
    before = params.read_text()
    with pytest.raises(ConfigError, match=r"write `wlasl: {loader: wlasl, .*}` yourself"):
        local.enable("wlasl", "/w", params=params)
    assert params.read_text() == before
    with pytest.raises(ConfigError, match="run this from the repository's folder"):
        local.enable("wlasl", "/w", params=params.parent / "nowhere.yaml")


# Enabling


def test_loader_and_use_have_defaults(params, untouched, good_clips):
    entry = corpora.enable("wlasl", untouched("wlasl"), params=params)
    assert (entry.loader, entry.use) == ("wlasl", ("transfer",))
    entry = corpora.enable("spreadthesign", untouched("spreadthesign"), params=params)
    assert (entry.loader, entry.use) == ("spreadthesign", ("pretraining",))
    entry = corpora.enable("any-name", good_clips.root, params=params)
    assert (entry.loader, entry.use) == ("folder", ("transfer",))
    entry = corpora.enable("signs", untouched("asl-signs"), loader="asl-signs", params=params)
    assert (entry.loader, entry.use) == ("asl-signs", ("transfer",))


def test_a_registered_corpus_is_found_and_built_by_its_name(params, untouched):
    corpora.enable("signs", untouched("asl-signs"), loader="asl-signs", params=params)
    assert corpora.root("signs", params=params).samefile(untouched("asl-signs"))
    assert corpora.loader("signs", params=params).name == "asl-signs"
    clips, _ = corpora.build("signs", params=params, progress=False)
    assert len(clips) == 40
    with pytest.raises(ConfigError, match="unknown corpus 'signs'"):
        corpora.root("signs", params=params.parent / "nowhere.yaml")


def test_a_folder_that_is_not_there_or_holds_something_else_is_not_registered(params, tmp_path):
    with pytest.raises(ConfigError) as error:
        corpora.enable("asl-citizen", "/nope", params=params)
    assert str(error.value).startswith("asl-citizen: /nope is not there;")
    assert "enable" not in str(error.value)  # that is what the user has just done
    with pytest.raises(ConfigError, match=rf"wlasl: {tmp_path} holds no WLASL_v0\.3\.json"):
        corpora.enable("wlasl", tmp_path, params=params)
    with pytest.raises(ConfigError, match=r"asl-citzen: .* \(or is it asl-citizen\?\)"):
        corpora.enable("asl-citzen", tmp_path, params=params)
    with pytest.raises(ConfigError, match="unknown loader 'flder'"):
        corpora.enable("wlasl", tmp_path, loader="flder", params=params)
    assert params.read_text() == PARAMS


def test_a_registered_folder_that_is_gone_is_named_with_the_command_that_corrects_it(params):
    message = r"asl-signs: .*/kaggle is not there; .*`signclip corpora enable asl-signs FOLDER`"
    with pytest.raises(ConfigError, match=message):
        corpora.root("asl-signs", params=params)
    assert corpora.find("asl-signs", params=params) is None


def test_the_section_of_the_repository_is_valid():
    local.entries(ROOT / "params.yaml")
