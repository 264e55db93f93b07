"""`python -m benchmarks`, or `make bench`: the table on the screen, the rows in a file."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.base.stage import guarded, wait_passively

if TYPE_CHECKING:
    import torch

app = typer.Typer(add_completion=False)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="an architecture; its weights are random")] = "sam2.1_tiny",
    device: Annotated[str, typer.Option(help="cpu, cuda or mps")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
    repeats: Annotated[int, typer.Option(help="timed rounds; the slowest parts have 2 at most")] = 5,
    objects: Annotated[int, typer.Option(help="in the picture")] = 8,
    size: Annotated[int, typer.Option(help="side of the picture, pixels; metrics are timed at twice it, too")] = 1024,
    clock: Annotated[str, typer.Option(help="wall; or cpu, where others use the machine: processor seconds")] = "wall",
    out: Annotated[Path, typer.Option(help="the rows")] = Path("reports/benchmarks.json"),
    curves: Annotated[bool, typer.Option("--curves", help="also benchmark_curves.csv beside the rows")] = False,
) -> None:
    """Time every part beside the naive way, a plain decode and the encoder, and hold it against its target.

    Examples: python -m benchmarks; python -m benchmarks --model sam2_nano --size 256 --repeats 1
    """
    from uncertsam.models.checkpoints import names

    at_least = {"threads": (threads, 1), "repeats": (repeats, 1), "objects": (objects, 1), "size": (size, 32)}
    for flag, (value, least) in at_least.items():
        if value < least:
            raise UserError(f"--{flag} is {value}.", f"Set it to {least} or more.")
    if model not in names():
        raise UserError(f"--model: there is no model named {model!r}.", f"It is one of {', '.join(names())}.")
    if clock not in ("wall", "cpu") or (clock == "cpu" and device != "cpu"):
        raise UserError(f"--clock {clock} does not go with --device {device}.", "It is wall, or, on a CPU, cpu.")
    if out.is_dir():
        raise UserError(f"--out: {out} is a folder.", "Name a file, such as reports/benchmarks.json.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about themselves
        run(model, _device(device), clock, threads, repeats, objects, size, out, curves)


def run(
    model: str,
    device: "torch.device",
    clock: Any,
    threads: int,
    repeats: int,
    objects: int,
    size: int,
    out: Path,
    curves: bool,
) -> None:
    """Measure all, write `out`, print."""
    from benchmarks import roofline
    from benchmarks.curves import OBJECTS, write_curves
    from benchmarks.parts import parts
    from benchmarks.rows import row, warm_up
    from benchmarks.setting import set_up
    from benchmarks.table import table
    from benchmarks.timing import threads_fixed

    with threads_fixed(threads):
        everything = set_up(model, size, max(objects, max(OBJECTS) if curves else 0), device, seed=0)
        setting = everything.asked(objects)
        warm_up(setting)
        rows: list[dict[str, Any]] = []
        for part in parts(setting, (size, 2 * size)):
            typer.echo(f"timing {part.name} ({part.size})", err=True)
            rows.append(row(part, setting, repeats, clock))
            typer.echo(table(rows[-1:]), err=True)
        write_json(out, rows)
        typer.echo(f"{model}, random weights; {device.type}, threads: {threads}; {clock} seconds\n{table(rows)}")
        typer.echo(roofline.told(setting, repeats, clock))
        if curves:
            write_curves(out.with_name("benchmark_curves.csv"), everything, repeats, clock)


def _device(name: str) -> "torch.device":
    from uncertsam.models.checkpoints import device_named

    try:
        return device_named(name)
    except UserError as error:
        raise UserError(error.problem.replace("base.device", "--device"), error.mend) from None


if __name__ == "__main__":
    wait_passively()
    guarded(app)
