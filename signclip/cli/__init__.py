"""The command ``signclip``.

Decision: every command is one call of the library with the same arguments, so a DVC stage, a shell
and a script do the same thing. Errors that input can cause are one line on stderr and exit status
2.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from signclip.cli.corpora import app as corpora_app
from signclip.core import torchrun
from signclip.core.errors import ConfigError, SignCLIPError

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")
app.add_typer(corpora_app, name="corpora")

Data = Annotated[Path, typer.Option(help="Folder of corpora, one folder each.")]
FeatureFolder = Annotated[Path, typer.Option(help="Folder of stores: a corpus, then a variant.")]
Runs = Annotated[Path, typer.Option(help="Folder of runs.")]
CORPUS = "spreadthesign-fingerspelling"
TokenizerSource = Annotated[
    str | None,
    typer.Option(
        help="Vocabulary of a released model: a folder with tokenizer.json or vocab.txt, or a "
        "hub's name such as bert-base-cased."
    ),
]
# What a released file does not tell. None: not given, so the recipe's (signclip.model.released) counts.
AttentionHeads = Annotated[
    int | None, typer.Option(help="Of a released file's towers. Default: 12.")
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        help="max_video_len of a released file's recipe. Default: 256; FingerCLIP's and version "
        "0's 128."
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        help="max_len of a released file's recipe. Default: 64; FingerCLIP's and version 0's 96."
    ),
]
Normalise = Annotated[
    bool, typer.Option("--normalise", help="A released file was trained on unit vectors (E5.2).")
]


def _given(**options: Any) -> dict[str, Any]:
    return {name: v for name, v in options.items() if v is not None and v is not False}


@app.callback()
def _root() -> None:
    """Sign-language poses and text in one space: corpora, features, training, checks."""


@app.command()
def pack(
    corpus: str,
    variant: Annotated[
        list[str], typer.Option(help="Which features; see signclip.poses.VARIANTS. Repeat it.")
    ],
    path: Annotated[Path | None, typer.Option(help="Where your copy of the corpus is.")] = None,
    name: Annotated[
        str | None, typer.Option(help="The folder's name, if not the corpus's.")
    ] = None,
    data: Data = Path("data"),
    features: FeatureFolder = Path("features"),
    dtype: Annotated[str, typer.Option(help="float32, or float16 for large corpora.")] = "float32",
    jobs: Annotated[int, typer.Option(help="Processes; the store does not depend on it.")] = 1,
) -> None:
    """Preprocess a corpus into packed feature stores, one a variant.

    Example: `signclip pack spreadthesign-fingerspelling --variant dominant_hand --variant signing`
    """
    from signclip import corpora
    from signclip.corpora import manifest
    from signclip.features import store

    name = name or corpus
    root, clips = corpora.root(corpus, path), manifest.read(data / name)
    folders = {one: features / name / one for one in variant}
    store.write_variants(clips, root, folders, dtype=dtype, workers=jobs)
    for out in folders.values():
        meta = store.FeatureStore(out).meta
        typer.echo(
            f"{out}: {meta['clips']} clips, {meta['frames']} frames of {meta['dims']} numbers"
        )


@app.command()
def extract(
    videos: Annotated[list[Path], typer.Argument(help="Videos, or folders of them.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder of the `.pose` files and their report; poses there that are of these "
            "names and not of this command are replaced."
        ),
    ],
    jobs: Annotated[int | None, typer.Option(help="Processes. Default: one a core.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster's; without one, Ray starts on this machine."),
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="Frames of more are refused. Default: 2 to the 25.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Longer videos are refused. Default: 100,000.")
    ] = None,
) -> None:
    """Turn videos into `.pose` files with MediaPipe Holistic.

    A killed run goes on where it was; finished videos are not done again. `OUT/extraction.csv`
    tells of each video what was seen, or why there is no pose; if one is missing, the exit status
    is 1.

    Example: `signclip extract my-videos poses/my-videos`

    Example: `signclip extract a.mp4 b.mov poses --engine ray --address auto`
    """
    from signclip.core import workers
    from signclip.extraction import extract as extraction
    from signclip.extraction.video import Limits

    given = {"pixels": max_pixels, "frames": max_frames}
    done = extraction.run(
        videos,
        out,
        jobs=workers.cores() if jobs is None else jobs,
        engine=engine,
        address=address,
        limits=Limits(**{name: limit for name, limit in given.items() if limit is not None}),
    )
    failed = [one.row for one in done if one.row["status"] == "failed"]
    before = sum(one.before for one in done)
    typer.echo(
        f"{out}: {len(done) - len(failed)} of {len(done)} videos have poses, {before} known from "
        f"before; {out / extraction.REPORT}"
    )
    for row in failed:
        typer.echo(f"failed: {row['video']}: {row['reason']}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def train(
    context: typer.Context,
    experiment: Annotated[
        str | None, typer.Argument(help="A row of the table of experiments, e.g. E3.2.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="A split of the corpus. Default: letters, or official.")
    ] = None,
    fold: Annotated[str, typer.Option(help="A fold's number, or all.")] = "all",
    seed: Annotated[int, typer.Option(help="Seed of weights, batches and augmentation.")] = 0,
    corpus: Annotated[
        str,
        typer.Option(
            help="The corpus's folder below --data; with --init also a folder with manifest.csv."
        ),
    ] = CORPUS,
    init: Annotated[
        Path | None,
        typer.Option(help="Go on from this model: a run, an imported or a released one."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="With --init and without an experiment: what the run is called.")
    ] = "finetune",
    profile: Annotated[str, typer.Option(help="Numbers of --params: cpu, paper, smoke.")] = "cpu",
    jobs: Annotated[int, typer.Option(help="Runs trained side by side.")] = 2,
    experiments: Annotated[Path, typer.Option(help="Table of experiments.")] = Path(
        "benchmarks/experiments.yaml"
    ),
    params: Annotated[Path, typer.Option(help="Table of profiles.")] = Path("params.yaml"),
    data: Data = Path("data"),
    features: FeatureFolder = Path("features"),
    runs: Runs = Path("runs"),
) -> None:
    """Train an experiment on the folds of a split, or fine-tune a model on your own clips.

    Finished folds are not trained again; a killed one goes on where it was. On several GPUs or
    machines, `torchrun` starts the same command and all processes share each batch.

    Example: `signclip train E3.2 --split letters --fold all`

    Example: `signclip train --corpus my-folder --init runs/E3.2/0/letters-0`

    Example: `torchrun --nproc_per_node=2 -m signclip train E3.2 --fold 0`
    """
    from functools import partial

    from signclip.core.workspace import RunId, Workspace
    from signclip.corpora import manifest, splits
    from signclip.experiments.config import ALL_FOLDS
    from signclip.experiments.table import resolve
    from signclip.training.launch import train_all

    if experiment is None and init is None:
        raise typer.BadParameter("give an experiment, a model to go on from (--init), or both")
    workspace = Workspace(data, features, runs, params=params, experiments=experiments)
    row = given = None
    if init is not None:
        from signclip.training import distributed, finetune

        model, given = finetune.start(init)
        row = finetune.row_of(model, init) if experiment is None else None
        prepare = partial(finetune.prepare, corpus, str(given["variant"]), workspace, jobs=jobs)
        context.with_resource(distributed.group())  # until the end: it cannot be made twice
        corpus = distributed.on_main_process(prepare)
        finetune.check_texts(model, data / corpus)
        dropped = manifest.read_dropped(data / corpus)
        for line in manifest.reasons(dropped) if torchrun.is_main_process() else ():
            typer.echo(f"{data / corpus}: dropped {line}", err=True)
    if split is None:
        there = splits.names(data / corpus)
        split = next(name for name in ("letters", "official", *there) if name in there)
    folds = splits.fold_numbers(splits.read(data / corpus, split))
    if fold != ALL_FOLDS:
        by_name = {str(number or 0): number for number in folds}
        if fold not in by_name:
            raise typer.BadParameter(f"fold {fold!r}; split {split} has {', '.join(by_name)}")
        folds = [by_name[fold]]
    configs = [
        resolve(
            RunId(experiment or name, profile, corpus, split, number, seed),
            workspace,
            row=row,
            given=given,
        )
        for number in folds
    ]
    paths = train_all(configs, workspace, jobs=jobs)
    if torchrun.is_main_process():
        for path in paths:
            typer.echo(path)


@app.command("import-checkpoint")
def import_checkpoint(
    released: Annotated[Path, typer.Argument(help="One of the authors' files.")],
    out: Annotated[Path, typer.Argument(help="A new folder; `signclip.load` opens it.")],
    variant: Annotated[
        str | None,
        typer.Option(help="Which features it was trained on. Default: by its numbers a frame."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Template of its texts. Default: its recipe's.")
    ] = None,
    tokenizer: TokenizerSource = None,
    attention_heads: AttentionHeads = None,
    max_frames: MaxFrames = None,
    max_tokens: MaxTokens = None,
    normalise: Normalise = False,
) -> None:
    """Turn a released checkpoint into safetensors, a configuration and a model card.

    Example: `signclip import-checkpoint released.pt models/E7.2 --tokenizer bert-base-cased`
    """
    from signclip import inference
    from signclip.core import files

    model = inference.import_checkpoint(
        released,
        out,
        variant=variant,
        prompt=prompt,
        tokenizer=tokenizer,
        **_given(
            attention_heads=attention_heads,
            max_frames=max_frames,
            max_tokens=max_tokens,
            normalise=normalise,
        ),
    )
    typer.echo(
        f"{files.as_text(out)}: {model.metrics['parameters']:,} parameters, variant "
        f"{model.variant or 'not known'}, {'with' if model.tokenizer else 'without'} vocabulary"
    )


@app.command()
def embed(
    model: Annotated[Path, typer.Argument(help="A run, an imported model, or a released file.")],
    poses: Annotated[
        list[Path] | None, typer.Argument(help="`.pose` files, or folders of them.")
    ] = None,
    out: Annotated[Path, typer.Option(help="`.npz` or `.parquet`.")] = Path("embeddings.npz"),
    text: Annotated[list[str] | None, typer.Option(help="A prompt, as it is; repeatable.")] = None,
    texts: Annotated[Path | None, typer.Option(help="A file of prompts, one a line.")] = None,
    long: Annotated[
        str, typer.Option(help="Clips over the model's limit: truncate, windows or drop.")
    ] = "truncate",
    variant: Annotated[
        str | None, typer.Option(help="Which features a model from elsewhere was trained on.")
    ] = None,
    tokenizer: TokenizerSource = None,
    attention_heads: AttentionHeads = None,
    max_frames: MaxFrames = None,
    max_tokens: MaxTokens = None,
    normalise: Normalise = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Clips computed at a time; no embedding depends on it.")
    ] = 64,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda.")] = "cpu",
) -> None:
    """Embed poses and texts into one file.

    Clips that cannot be used are listed in `<out>.dropped.csv` with the reason; the others are
    written all the same, and the exit status is 1.

    Example: `signclip embed models/E7.2 clips/ --text "<en> <ase> house" --out house.npz`
    """
    from signclip import inference
    from signclip.cli import embedding
    from signclip.core import files

    paths, prompts = embedding.pose_files(poses or []), embedding.prompts(text or [], texts)
    embedding.check_out(out)
    reference = _given(
        attention_heads=attention_heads,
        max_frames=max_frames,
        max_tokens=max_tokens,
        normalise=normalise,
    )
    opened = inference.load(model, tokenizer=tokenizer, variant=variant, **reference).to(device)
    written = embedding.embed(opened, paths, prompts, out, long=long, batch_size=batch_size)
    name = files.as_text(out)
    typer.echo(f"{name}: {written.poses} poses and {written.texts} texts of {written.dims} numbers")
    if written.long:
        typer.echo(f"  {written.long} clips over the limit of {written.limit} frames: {long}")
    if written.dropped:
        typer.echo(f"  {written.dropped} clips dropped: {embedding.dropped_file(Path(name))}")
    if written.failed:
        raise typer.Exit(1)


@app.command()
def verify(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Default: data, features, runs and results.")
    ] = None,
) -> None:
    """Hash corpora, stores, runs and results again and name what changed.

    Example: `signclip verify features runs`
    """
    from signclip.core.verify import verify as check

    for folder in folders or []:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder")
    everything = map(Path, ("data", "features", "runs", "results"))
    checked, damaged = check(folders or [folder for folder in everything if folder.is_dir()])
    for problem in damaged:
        typer.echo(f"damaged: {problem}", err=True)
    typer.echo(f"{checked} corpora, stores, runs and results checked, {len(damaged)} damaged")
    if damaged or not checked:
        raise typer.Exit(1)


def main() -> None:
    """Entry point."""
    try:
        app()
    except SignCLIPError as error:
        if torchrun.is_main_process() or error.of_one_process:
            typer.echo(f"signclip: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
