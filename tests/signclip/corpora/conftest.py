"""Miniature corpora, each in exactly the layout that is published."""

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SIDES = ("train", "val", "test")
RWTH_NAMES = [
    f"{signer}_{gesture}_{sequence}_cam{camera}"
    for signer in (1, 2, 10)
    for gesture in (1, 26, 30, 35)
    for sequence in (1, 2)
    for camera in (1, 2)
]
SPREADTHESIGN_TAGS = ("ase", "gsg", "ise", "rsl-by")


def write_csv(path: Path, header, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


class Maker:
    """Writes clips, each of other content, in the form that a corpus publishes."""

    def __init__(self, root: Path, pose: Callable[[int], bytes]):
        self.root, self._pose, self._made = root, pose, 0

    def _next(self, path: str) -> Path:
        self._made += 1
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def pose(self, path: str) -> None:
        self._next(path).write_bytes(self._pose(self._made))

    def video(self, path: str) -> None:
        self._next(path).write_bytes(b"a video, perhaps")

    def sem_lex(self, path: str) -> None:
        target = self._next(path)
        array = np.random.default_rng(self._made).uniform(0.1, 0.9, (3, 553, 3)).astype(np.float32)
        array[:, 478 + 11], array[:, 478 + 12] = (0.7, 0.5, 0), (0.3, 0.5, 0)
        np.save(target, array)

    def openhands(self, path: str) -> None:
        rng = np.random.default_rng(self._made)
        keypoints = rng.uniform(0.1, 0.9, (2 + self._made % 3, 75, 3))
        keypoints[:, 11], keypoints[:, 12] = (0.7, 0.5, 0), (0.3, 0.5, 0)  # shoulders
        confidences = np.ones(keypoints.shape[:2])
        keypoints[:, 33:54], confidences[:, 33:54] = 0, 0  # no left hand
        clip = {"keypoints": keypoints, "confidences": confidences}
        self._next(path).write_bytes(pickle.dumps(clip, protocol=4))

    def kaggle(self, path: str) -> None:
        target = self._next(path)
        rng = np.random.default_rng(self._made)
        kinds = [("face", 468), ("left_hand", 21), ("pose", 33), ("right_hand", 21)]
        rows = [(kind, i) for kind, size in kinds for i in range(size)]
        table = pd.DataFrame(rows * 2, columns=["type", "landmark_index"])
        table.insert(0, "frame", np.repeat([7, 8], len(rows)).astype(np.int16))
        table.insert(1, "row_id", "x")
        table[["x", "y", "z"]] = rng.uniform(0.1, 0.9, (len(table), 3)).astype(np.float32)
        left = (table["type"] == "pose") & (table["landmark_index"] == 11)
        table.loc[left, "x"] = 2.0
        table.loc[table["type"] == "left_hand", ["x", "y", "z"]] = np.nan
        table.to_parquet(target, index=False)


def rwth_fs(make: Maker) -> None:
    for name in RWTH_NAMES:
        make.pose(f"poses/{name}.pose")


def spreadthesign(make: Maker) -> None:
    rows = []
    for number in range(240):
        language = "sv" if number % 5 == 0 else "en"
        tag = SPREADTHESIGN_TAGS[number % 4]
        rows.append((f"{number}.pose", tag, language, f"concept {number // 4}"))
        if number % 5:
            make.pose(f"sign-mt-poses/{number}.pose")
    write_csv(make.root / "SperadTheSign.csv", ("pose", "videoLanguage", "language", "text"), rows)


def asl_signs(make: Maker) -> None:
    rows = []
    for number in range(40):
        path = f"train_landmark_files/{number % 3}/{1000 + number}.parquet"
        rows.append((path, number % 3, 1000 + number, ("TV", "after")[number % 2]))
        make.kaggle(path)
    write_csv(make.root / "train.csv", ("path", "participant_id", "sequence_id", "sign"), rows)


def popsign(make: Maker) -> None:
    for side in SIDES:
        for sign in ("TV", "hat"):
            for take in range(2):
                make.pose(f"{side}/{sign}/gtsignstudy-{sign}-{take}.pose")


def asl_citizen(make: Maker) -> None:
    header = ("Participant ID", "Video file", "Gloss", "ASL-LEX Code")
    for number, side in enumerate(SIDES):
        glosses = ("WOMAN1", "APPLE", "WOMAN2")
        rows = []
        for i, gloss in enumerate(glosses):
            rows.append((f"P{number}", f"{number}{i}-{gloss}.mp4", gloss, f"A_0{i}_001"))
            make.pose(f"poses/{number}{i}-{gloss}.pose")
        write_csv(make.root / "ASL_Citizen" / "splits" / f"{side}.csv", header, rows)


def sem_lex(make: Maker) -> None:
    header = ("id", "file", "signer", "duration", "split", "label_type", "label")
    rows = []
    for number in range(12):
        side = SIDES[number % 3]
        label = ("ice_cream_2", "woman")[number % 2]
        rows.append((number // 2, f"clip-{number}", f"s{number % 4}", 1.5, side, "asllex", label))
        make.sem_lex(f"{side}/clip-{number}.npy")
    write_csv(make.root / "sem-lex-metadata.csv", header, rows)


def wlasl(make: Maker) -> None:
    entries = []
    for g, gloss in enumerate(("book", "drink")):
        instances = []
        for i in range(4):
            clip = f"{g}{i}241"
            instances.append(
                {
                    "bbox": [385, 37, 885, 720],
                    "fps": 25,
                    "frame_end": -1,
                    "frame_start": 1,
                    "instance_id": i,
                    "signer_id": i % 2,
                    "source": "aslbrick",
                    "split": (*SIDES, "train")[i],
                    "url": "http://example.org/book.mp4",
                    "variation_id": 0,
                    "video_id": clip,
                }
            )
            make.pose(f"poses/{clip}.pose")
        entries.append({"gloss": gloss, "instances": instances})
    (make.root / "WLASL_v0.3.json").write_text(json.dumps(entries))


def signsuisse(make: Maker) -> None:
    header = ("id", "name", "spokenLanguage", "signedLanguage", "example")
    languages = (("de", "dsgs"), ("fr", "lsf-ch"), ("it", "lis-ch"))
    tables = ("metadata_train_train.csv", "metadata_train_val.csv", "metadata_test.csv")
    for t, table in enumerate(tables):
        rows = []
        for i, (spoken, signed) in enumerate(languages):
            clip = f"ss{t}{i}"
            example = "Das Haus ist gross, oder?" if i != 1 else ""
            rows.append((clip, "HAUS", spoken, signed, example))
            make.pose(f"poses/{clip}.pose")
            if example:
                make.pose(f"examples/{clip}.pose")
        write_csv(make.root / table, header, rows)


def lsa64(make: Maker) -> None:
    for sign in (1, 8):
        for signer in (1, 8, 9, 10):
            for repeat in (1, 2):
                make.openhands(f"LSA64_Cut/{sign:03}_{signer:03}_{repeat:03}.pkl")
    (make.root / "lsa64_signs.md").write_text("01|Opaque|R|\n02|Red|R|\n08|Red(?)|R|\n")


def autsl(make: Maker) -> None:
    classes = [(0, "abla", "sister"), (1, "acele", "hurry"), (225, "zor", "difficult")]
    write_csv(make.root / "SignList_ClassId_TR_EN.csv", ("ClassId", "TR", "EN"), classes)
    for number, side in enumerate(("train", "validation", "test")):
        lines = []
        for sample in range(1, 4):
            clip = f"signer{number}_sample{sample}"
            lines.append(f"{clip},{classes[sample - 1][0]}\n")
            make.openhands(f"AUTSL/{clip}_color.pkl")
        (make.root / f"{side}_labels.csv").write_text("".join(lines))


def include(make: Maker) -> None:
    header = ("Category", "Word", "Video", "FilePath")
    for side, takes in (("train", 4), ("test", 2)):
        rows = []
        for category, word in (("Animals", "4. Bird"), ("Places", "19. House")):
            for take in range(takes):
                video = f"MVI_{side[1]}{take}.MOV"
                extra = "Extra/" if category == "Places" and not take else ""
                path = f"{category}/{word}/{extra}{video}"
                rows.append((category.replace("_", " "), word, f"{extra}{video}", path))
                make.openhands(f"INCLUDE/{path.removesuffix('.MOV')}.pkl")
        write_csv(make.root / f"{side}_include.csv", header, rows)


def openhands_wlasl(make: Maker) -> None:
    wlasl(make)
    for pose in (make.root / "poses").iterdir():
        pose.unlink()
        make.openhands(f"WLASL/pose_files/{pose.stem}.pkl")
    (make.root / "poses").rmdir()


def openhands_fingerspelling(make: Maker) -> None:
    languages = {
        "American": "ab",
        "Argentine": "ab",
        "German": ("a", "sch"),
        "Greek": "αβ",
        "Indian": "ab",
        "Turkish": "aç",
    }
    for language, letters in languages.items():
        for side, takes in (("train", 4), ("test", 1)):
            for letter in letters:
                for take in range(takes):
                    make.openhands(f"{language}/pkl_poses/{side}/{letter}/{take}.pkl")
        (make.root / language / "glosses.csv").write_text("".join(f"{x}\n" for x in letters))


MINIATURES = {
    "rwth-fs": rwth_fs,
    "spreadthesign": spreadthesign,
    "asl-signs": asl_signs,
    "popsign": popsign,
    "asl-citizen": asl_citizen,
    "sem-lex": sem_lex,
    "wlasl": wlasl,
    "signsuisse": signsuisse,
    "lsa64": lsa64,
    "autsl": autsl,
    "include": include,
    "openhands-wlasl": openhands_wlasl,
    "openhands-fingerspelling": openhands_fingerspelling,
}


@pytest.fixture(scope="session")
def maker(make_pose, pose_bytes) -> Callable[[Path], Maker]:
    """``maker(folder)``: makes clips there, each of other content."""

    def make(root: Path) -> Maker:
        return Maker(root, lambda seed: pose_bytes(make_pose(seed=seed, frames=2 + seed % 3)))

    return make


@pytest.fixture(scope="session")
def untouched(tmp_path_factory, maker) -> Callable[[str], Path]:
    """``untouched(name)``: a corpus's miniature, made once. Not to be changed."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            MINIATURES[name](maker(made[name]))
        return made[name]

    return folder


@pytest.fixture
def miniature(tmp_path, maker) -> Callable[[str], Path]:
    """``miniature(name)``: a corpus's miniature in a folder of its own, to be changed."""

    def folder(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        MINIATURES[name](maker(root))
        return root

    return folder
