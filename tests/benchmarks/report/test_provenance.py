"""Where a number comes from: sidecars and `signbench why`."""

import json

import pytest

from benchmarks.report import provenance
from benchmarks.report.tables import fingerclip, pretraining
from signclip.core import files
from signclip.core.errors import ConfigError


@pytest.fixture
def table(board, written):
    board()
    return json.loads(written(fingerclip.TABLE)["json"])


def test_a_cell_names_the_result_that_it_is_from(table, workspace, stored):
    (key,) = table["cells"]["E3.2"]["letters V2T_R@1"]
    assert key == "repro/E3.2/cpu/retrieval.c.letters.json"
    result = stored("E3.2", "retrieval", "letters")
    about = table["results"][key]
    assert about["commit"] == result.git_commit
    assert about["corpus"] == {"c": result.corpus_fingerprint}
    assert about["signature"] == result.signature


def test_why_prints_the_chain_of_a_cell(table, workspace, stored):
    text = provenance.why(workspace, "fingerclip", "E3.2", "letters V2T_R@1")
    path = workspace.leaderboard / "repro/E3.2/cpu/retrieval.c.letters.json"
    result = stored("E3.2", "retrieval", "letters")
    for part in (
        *(str(path), files.sha256_file(path)[:12], result.git_commit, result.hardware),
        *(f"c {result.corpus_fingerprint}", f"letters {result.split_fingerprint}"),
        *("command  signbench table fingerclip", "command  make repro"),
    ):
        assert part in text
    assert "posec3d" not in text  # other results of the table


def test_why_lists_rows_and_columns_where_none_is_named(table, workspace):
    assert "    E3.2" in provenance.why(workspace, "fingerclip")
    assert "    letters V2T_R@1" in provenance.why(workspace, "fingerclip", "E3.2")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("nothing",), "no table or figure 'nothing'; there are fingerclip"),
        (("fingerclip", "E9"), "no row 'E9'; there are .*E3.2"),
        (("fingerclip", "E3.2", "F1"), "no column of E3.2 'F1'; there are letters"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(table, workspace, names, message):
    with pytest.raises(ConfigError, match=message):
        provenance.why(workspace, *names)


def test_without_tables_it_says_what_writes_them(workspace):
    with pytest.raises(ConfigError, match="run `signbench paper`"):
        provenance.why(workspace, "fingerclip")


def test_a_damaged_sidecar_is_named(table, workspace):
    (workspace.results / "tables/fingerclip.json").write_text("{")
    with pytest.raises(ConfigError, match=r"fingerclip\.json: damaged"):
        provenance.why(workspace, "fingerclip")


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"group": "transfer-asl-words"}, "signbench transfer asl-words"),
        ({"group": "pretraining-spreadthesign"}, "signbench pretrain spreadthesign"),
        ({"group": "full"}, "make full"),
        ({"group": "local"}, "signbench evaluate E3.2 --split letters --seed 0"),
        (
            {"group": "local", "task": "linear_probe"},
            "signbench protocols E3.2 --split letters --seed 0",
        ),
    ],
)
def test_each_group_has_its_command(result, changes, command):
    one = result(**{"encoder": "E3.2", "split": "letters", "seeds": [0], **changes})
    assert provenance.command(one) == command


def test_a_claimed_difference_names_both_results(board, written):
    from benchmarks.report.tables import claims

    board()
    about = json.loads(written(claims.TABLE)["json"])
    keys = about["cells"]["hand-2d"]["letters, labels"]
    assert [key.split("/")[1] for key in keys] == ["E3.2", "E3.1"]
    assert json.loads(written(pretraining.TABLE)["json"])["results"]
