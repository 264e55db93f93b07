"""The commands for one's own pictures, as they are typed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from uncertsam.app.commands._grouped import Grouped, numbers
from uncertsam.base.errors import UserError

Model = Annotated[str, typer.Option(help="sam2_nano, sam2.1_large, ..., or a file of weights")]
Name = Annotated[str | None, typer.Option(help="of a file of weights: which model it holds, if it does not say")]
Fitted = Annotated[
    Path | None, typer.Option(help="a folder of fitted parts; default: that of `fit`, else what is shipped")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps")]
MOST_LINES = 20
OPTION = "how the masks are read, such as kind=binary for soft edges or JPEG; ignore=[255]; see docs/your_data.md"
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]


def add_to(app: typer.Typer) -> None:
    """Declare them."""
    app.command(cls=Grouped)(predict)
    for command in (fit, doctor, evaluate, report):
        app.command()(command)


def predict(
    target: Annotated[Path, typer.Argument(help="a picture (stack.tif#p002: its second page), or a folder")],
    box: Annotated[list[str] | None, typer.Option(metavar="X0 Y0 X1 Y1", help="pixels; repeat for objects")] = None,
    point: Annotated[list[str] | None, typer.Option(metavar="X Y", help="a click in pixels; may be repeated")] = None,
    label: Annotated[list[int] | None, typer.Option(help="1: the click is on the object, 0: beside it")] = None,
    boxes: Annotated[Path | None, typer.Option(help="of a folder: a JSON file, see docs/your_data.md")] = None,
    method: Annotated[str, typer.Option(help="such as sam, laplace, tta_hue, prompt")] = "sam",
    out: Annotated[Path, typer.Option(help="a folder for the results")] = Path("out"),
    model: Model = "sam2_nano",
    name: Name = None,
    device: Device = "auto",
    fitted: Fitted = None,
    seed: Annotated[int, typer.Option(help="of the method's random numbers")] = 0,
    max_megapixels: Annotated[float, typer.Option(help="larger pictures are refused")] = 64.0,
    as_json: AsJson = False,
) -> None:
    """Masks, and maps of where not to trust them.

    Examples: uncertsam predict cat.jpg --box 20 30 180 200 --method laplace --out results;
    uncertsam predict cat.jpg --point 90 120 --point 5 5 --label 1 --label 0;
    uncertsam predict photos --boxes boxes.json
    """
    if not _is_there(target) or target.is_dir() != (boxes is not None):
        raise UserError(*_mixed(target, boxes))
    if boxes is not None and (box or point or label):
        raise UserError("--box, --point and --label are for one picture.", "A folder's boxes are in --boxes.")
    from uncertsam.app.api.predictor import UncertaintyPredictor
    from uncertsam.app.commands import _predict as predicting

    options: dict[str, Any] = {"name": name, "fitted": fitted, "seed": seed, "max_megapixels": max_megapixels}
    predictor = UncertaintyPredictor.from_pretrained(model, [method], device, **options)
    if boxes is not None:
        summary = predicting.predict_folder(predictor, target, boxes, out)
    else:
        prompt = {"boxes": numbers(box), "points": numbers(point), "labels": label or []}
        summary = predicting.predict_one(predictor, target, prompt, out)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **vars(summary)}))
    else:
        for line in [*predicting.told(summary, out), *_told_left_out(summary.skipped)]:
            typer.echo(line)
    for problem in summary.problems:
        typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(1 if summary.problems else 0)


def fit(
    folder: Annotated[Path | None, typer.Argument(help="images/ and masks/; without: generated pictures")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="a folder for it; default: data/fitted/MODEL of a checkout, else uncertsam_fitted"),
    ] = None,
    count: Annotated[int, typer.Option(help="how many pictures are generated", min=1)] = 12,
    model: Model = "sam2_nano",
    name: Name = None,
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="replace what is there")] = False,
    option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help=OPTION)] = None,
    as_json: AsJson = False,
) -> None:
    """Fit Laplace to a model, in seconds and without DVC: on generated pictures, or on your own with masks.

    `dvc repro` fits it anew on what params.yaml says. Examples: uncertsam fit; uncertsam fit my_data/cats --force;
    uncertsam fit my_data/cats --option kind=binary
    """
    from uncertsam.app.api import loading
    from uncertsam.app.commands import _fit as fitting
    from uncertsam.base.checkout import fitted_here
    from uncertsam.config.params import Config

    if folder is not None and not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give one with images/ and masks/.")
    config = Config.read(loading.params_file())
    options = dict(map(fitting.option, option or []))
    if options and folder is None:
        raise UserError("--option says how a folder is read, and there is none.", "Name the folder.")
    loaded = loading.load(model, device, name)
    place = (out or fitted_here(loaded.name)) / "laplace"
    state, skipped = fitting.fit(loaded, config, folder, place, count, force, options)
    found = {"out": str(place), "images": state.images, "prior_precision": float(state.prior_precision)}
    text = f"fitted Laplace on {state.images} pictures, prior precision {found['prior_precision']:.4g}: {place}"
    if not as_json:
        for line in _told_left_out(skipped):
            typer.echo(line)
    typer.echo(json.dumps(found | {"model": state.model, "skipped": skipped}) if as_json else text)


def doctor(as_json: AsJson = False) -> None:
    """What is there, what is missing, and how to get it. Exit code 1 where something needed is broken.

    Example: uncertsam doctor
    """
    from dataclasses import asdict

    from uncertsam.app.commands._doctor import examine
    from uncertsam.base.checkout import checkout

    findings = examine(checkout())
    broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            typer.echo(finding.line())
        typer.echo("something needed is broken" if broken else "everything needed is there")
    raise typer.Exit(1 if broken else 0)


def evaluate() -> None:
    """Measure all methods on all datasets of params.yaml: `dvc repro tabulate`. Example: uncertsam evaluate"""
    from uncertsam.app.commands._pipeline import repro

    repro("evaluate", "tabulate")


def report() -> None:
    """Rebuild reports/index.html and all that it needs: `dvc repro report`. Example: uncertsam report"""
    from uncertsam.app.commands._pipeline import repro

    repro("report", "report")


def _told_left_out(skipped: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A line for each of the first files that are not used, and how many there are beyond."""
    yield from (f"not used: {one['file']}: {one['reason']}" for one in skipped[:MOST_LINES])
    if len(skipped) > MOST_LINES:
        yield f"not used: {len(skipped) - MOST_LINES} more; --json lists them all"


def _is_there(target: Path) -> bool:
    from uncertsam.app.api.pictures import page_named

    return target.exists() or page_named(target) != target


def _mixed(target: Path, boxes: Path | None) -> tuple[str, str]:
    """Why target and boxes do not fit together, and the remedy."""
    if not _is_there(target):
        return f"There is no file {target}.", "Check the name."
    if boxes is None:
        return f"{target} is a folder.", "Say what is asked: --boxes boxes.json, or name one picture."
    return f"{target} is no folder.", "Give its box with --box X0 Y0 X1 Y1; --boxes is for a folder of pictures."
