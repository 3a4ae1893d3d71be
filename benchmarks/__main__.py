"""raypipe and its peers, in one run, interleaved: a Markdown table for each question.

    python -m benchmarks [--quick] [--rounds 5] [--only kernel] [--json FILE] [--model-dir DIR]

Comes in: raypipe's own DTLN models (``raypipe models pull dtln``), and the published TFLite
pair. Goes out: the tables on stdout, every figure in FILE, progress on stderr. Corpora are made
anew, the same each time, and taken away.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.peers import flac, folder, kernel, lengths, long_file
from benchmarks.peers.reference import find_pair
from benchmarks.peers.setting import Setting
from benchmarks.table import Question, as_json, ask, machine, markdown, say
from raypipe.errors import ModelError
from raypipe.inference.zoo import find_model

QUESTIONS: dict[str, Callable[[Setting], Question]] = {
    "kernel": kernel.question,
    "folder": folder.question,
    "lengths": lengths.question,
    "long-file": long_file.question,
    "flac": flac.question,
}


@click.command()
@click.option("--quick", is_flag=True, help="Small corpora: to see that all works.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--only", multiple=True, type=click.Choice(list(QUESTIONS)), help="Repeatable.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every figure there.",
)
@click.option(
    "--model-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with DTLN's published model_1.tflite and model_2.tflite.",
)
@click.option("--dtln", default="dtln", show_default=True, help="Our float32 model: name or path.")
@click.option(
    "--dtln-int8", default="dtln-int8", show_default=True, help="Our int8 model: name or path."
)
@click.option(
    "--scratch", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where corpora and outputs go: 5 GB.  [default: the system's]",
)  # fmt: skip
def main(
    quick: bool,
    rounds: int,
    only: tuple[str, ...],
    json_path: Path | None,
    model_dir: Path | None,
    dtln: str,
    dtln_int8: str,
    scratch: Path | None,
) -> None:
    """Measure raypipe against its peers and print a table for each question."""
    pair = find_pair(model_dir)
    models = {"dtln": _path_of(dtln), "dtln-int8": _path_of(dtln_int8)}
    root = Path(tempfile.mkdtemp(dir=scratch))
    setting = Setting(root, pair and pair.resolve(), models, quick=quick)
    where = machine()
    answered = []
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    click.echo(f"{where['cpu']}, {where['cpus']} CPUs; medians of {rounds} interleaved rounds.")
    try:
        for name in only or QUESTIONS:
            say(f"{name}: making its corpus")
            mine = replace(setting, scratch=root / name)
            mine.scratch.mkdir()
            question = QUESTIONS[name](mine)
            ask(question, rounds)
            shutil.rmtree(mine.scratch)
            click.echo(f"\n{markdown(question)}")
            answered.append(as_json(question))
            if json_path is not None:  # after each, so that an hour's figures survive the next
                facts = {"machine": where, "rounds": rounds, "quick": quick, "questions": answered}
                json_path.write_text(json.dumps(facts, indent=1), "utf-8")
    finally:
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(root, ignore_errors=True)


def _path_of(model: str) -> str:
    """Where a model is; peers load it in other processes, which may stand elsewhere."""
    try:
        return str(Path(find_model(model).path).resolve())
    except ModelError as error:
        raise click.ClickException(f"{error}\nGet both with: raypipe models pull dtln") from error


if __name__ == "__main__":
    main()
