"""What README and findings say is what the committed tables say."""

import re
from pathlib import Path

import pandas as pd
import pytest

from baselines import TITLES
from baselines.skeletons import table
from benchmarks.report.tables import fingerclip

ROOT = Path(__file__).parents[1]


def test_the_rows_beyond_the_paper_are_what_the_readme_says():
    rows = pd.read_csv(ROOT / "results/tables/beyond.csv", dtype=str, keep_default_na=False)
    rows = rows[~rows["revision"].str.endswith("-full")]
    rows = rows.set_index(["id", "split", "gallery"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    places = [
        *((split, "labels") for split in ("letters", "in_domain", "unseen_language")),
        ("in_domain", "tagged"),
    ]
    checked = 0
    for line, name in {
        "E7.2, the": "E7.2",
        "X, [best": "X",
        "1-NN, no": "nearest-neighbour",
    }.items():
        cells = next(x for x in readme.splitlines() if x.startswith(f"| {line}")).split(" | ")[1:]
        for place, cell in zip(places, cells, strict=True):
            shown = re.findall(r"0\.\d\d", cell)
            row = rows.loc[(name, *place)]
            exact = [row[f"ours_V2T_R@1{end}"] for end in ("", "_low", "_high")]
            if shown:
                assert shown == [f"{float(value):.2f}" for value in exact], (name, place)
                checked += 1
    assert checked == 11


def test_every_difference_in_the_findings_stands_in_the_table():
    findings = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    table = "".join(
        (ROOT / f"results/tables/{name}.md").read_text(encoding="utf-8")
        for name in ("beyond", "protocols")
    )
    told = re.findall(r"[+-]0\.\d{3} \[[+-]0\.\d{3}, [+-]0\.\d{3}\]", findings)
    assert len(told) > 6
    assert [x for x in told if x not in table] == []


def test_published_results_are_what_the_readme_says():
    """The README's headline numbers are those of the committed table."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(
        r"^\| (E3\S*|\S*GCN\S*|PoseC3D|1-NN|DTW|LR) \|.*?\| (0\.\d\d) \[(0\.\d\d), (0\.\d\d)\]",
        readme,
        re.M,
    )
    assert len(shown) == 12
    path = ROOT / "results/tables/fingerclip.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    names = dict(
        fingerclip.published("fingerclip")[["config", "experiment"]].itertuples(index=False)
    )
    floors = {"1-NN": "nearest-neighbour", "DTW": "dtw", "LR": "logistic-regression"}
    titles = {TITLES[name]: short for short, name in floors.items()}
    titles |= {row["title"]: row["title"].split(" ")[0] for row in table.models().values()}
    rows["name"] = rows["config"].map(names).fillna(rows["row"].map(titles))
    rows = rows[rows["ours_V2T_R@1_low"] != ""].set_index("name")
    for name, *numbers in shown:
        columns = ("ours_V2T_R@1", "ours_V2T_R@1_low", "ours_V2T_R@1_high")
        assert numbers == [f"{float(rows.loc[name, column]):.2f}" for column in columns], name


def test_skeleton_models_learn_and_the_best_is_level_with_nearest_neighbour():
    rows = pd.read_csv(ROOT / "results/tables/fingerclip.csv").set_index("row")
    trained = [rows.loc[row["title"]] for row in table.models().values()]
    assert len(trained) == 4
    for row in trained:
        assert row["ours_V2T_R@1_low"] > 2 * row["chance_V2T_R@1"]
    floor = rows.loc[TITLES["nearest-neighbour"], "ours_V2T_R@1"]
    assert max(row["ours_V2T_R@1"] for row in trained) >= floor


def test_every_score_in_the_findings_stands_in_a_table():
    findings = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    tables_there = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "results/tables").glob("*.md")
    )
    told = re.findall(r"(?<![+\-\d])0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", findings)
    assert len(told) > 10
    assert [x for x in told if x not in tables_there] == []


@pytest.mark.parametrize("measured", ["training-cpu", "training-cpu-amx"])
def test_the_table_of_a_training_step_is_what_was_measured(measured):
    text = (ROOT / "docs/speed.md").read_text()
    table = text[: text.index(f"[results/speed/{measured}.csv]")].rsplit("\n\n", 2)[-2]
    rows = [[x.strip(" *") for x in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = pd.read_csv(ROOT / f"results/speed/{measured}.csv").to_dict("records")
    assert len(rows) == len(found)
    for (way, seconds, cpu, ratio, ratio_cpu, memory, share), row in zip(rows, found, strict=True):
        assert way.replace(", float32", "").replace(", ", "-") == row["way"]
        told = [float(x) for x in (seconds, cpu, ratio, ratio_cpu, memory.removesuffix(" GB"))]
        names = ("seconds", "cpu_seconds", "ratio_wall", "ratio_cpu", "memory_GB")
        exact = [row[name] for name in names]
        assert told == pytest.approx(exact, abs=0.051), way
        assert share in ("", f"{row['memory_share']:.0%}".replace("%", " %"))
