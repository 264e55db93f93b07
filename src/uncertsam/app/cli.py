"""The command `uncertsam`. Every mistake of a user ends as one sentence and exit code 1."""

from pathlib import Path
from typing import Annotated

import typer

from uncertsam.app.commands import demo, your_data
from uncertsam.base.stage import guarded, wait_passively

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Where is a segmentation model wrong?")
track = typer.Typer(no_args_is_help=True, help="Send runs to MLflow, or rebuild its whole view.")
app.add_typer(track, name="track")
your_data.add_to(app)
demo.add_to(app)


@app.command()
def use(
    profile: Annotated[str, typer.Argument(help="demo, folder or paper: a file in profiles/")],
    root: Annotated[Path | None, typer.Option(help="folder: every sub-folder with images/ and masks/")] = None,
    fit_on: Annotated[str | None, typer.Option(help="folder: the dataset of your own to fit on")] = None,
) -> None:
    """Make a profile the current params.yaml. Example: uncertsam use folder --root ~/my_images"""
    from uncertsam.app._profiles import use as write
    from uncertsam.base.checkout import needed
    from uncertsam.config.params import FILE
    from uncertsam.data.raw.adapters.folder import strangers

    needed("use")
    datasets = write(profile, Path("profiles"), FILE, root, fit_on)
    for left in strangers(root) if root else ():
        typer.echo(f"not used: {left.file}: {left.reason}")
    typer.echo(f"{FILE} now holds the profile {profile}: {', '.join(datasets)}\nnext: dvc repro")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="such as sam2.1_large or ISTD; an unknown name lists them all")],
    out: Annotated[Path, typer.Option(help="a folder: a checkpoint goes into it, a dataset becomes it")],
    archives: Annotated[Path, typer.Option(help="where a dataset's archives are kept")] = Path(".downloads"),
    hashes: Annotated[Path, typer.Option(help="the recorded hashes")] = Path("requirements/downloads.json"),
) -> None:
    """Download a checkpoint, or unpack a dataset. Example: uncertsam download sam2.1_large --out checkpoints"""
    from uncertsam.base.checkout import embedded, shipped
    from uncertsam.data.raw.remote import published
    from uncertsam.data.raw.remote.sources import find

    if name in embedded():
        typer.echo(f"{name} comes with uncertsam, there is nothing to download: {shipped(f'{name}.safetensors')}")
        return
    source = find(name)
    typer.echo(f"{name}: licence {source.licence}")
    if source.kind == "dataset":
        published.download({"name": name}, out, archives, hashes)
        typer.echo(f"{out} holds {name}; its archives stay in {archives}")
    else:
        typer.echo(f"loaded {published.load(source, out, hashes)[0]}")


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="a folder such as reports/")],
    new: Annotated[Path, typer.Argument(help="the same, rebuilt")],
) -> None:
    """Do two report folders say the same? Exit code 1 and one line per difference where they do not."""
    from uncertsam.report.compare import differences

    found = differences(old, new)
    for line in found[:50]:
        typer.echo(line)
    typer.echo(f"{len(found)} differences" if found else "the reports agree")
    raise typer.Exit(1 if found else 0)


@app.command()
def verify(
    record: Annotated[bool, typer.Option("--record", help="make today's values the expected ones")] = False,
) -> None:
    """Did the code change, or is this another machine? Runs everything on eight pictures with known results."""
    from uncertsam.app import _regression_check
    from uncertsam.base.checkout import needed
    from uncertsam.config.params import Config

    needed("verify")
    config = Config.read()
    model, folder = config.model, Path("data/golden")
    if record:
        _regression_check.record(folder, model.name, model.weights, config.entries, config.fit_laplace)
    findings = _regression_check.verify(folder, model.name, model.weights)
    for finding in findings:
        typer.echo(f"{finding.verdict:24} {finding.step}")
    typer.echo(_regression_check.explain(findings))
    raise typer.Exit(1 if any(finding.verdict == "CHANGED" for finding in findings) else 0)


@app.command()
def score(
    out: Annotated[Path, typer.Argument(help="a CSV, a row a mask: IoU by prompts and without a model, calibration")],
    most: Annotated[int, typer.Option(help="masks per dataset")] = 60,
) -> None:
    """How good is the model itself? Box and clicks beside the filled box and OpenCV's GrabCut, after dvc repro."""
    import torch

    from uncertsam.base.checkout import needed
    from uncertsam.base.files import written_aside
    from uncertsam.config.params import Config
    from uncertsam.experiments.prompting import COLUMNS
    from uncertsam.experiments.prompting import score as scores
    from uncertsam.models.checkpoints import load_model

    needed("score")
    config = Config.read()
    model = load_model(config.model.name, config.model.weights, torch.device("cpu"))
    split, seed = config.predict.split, config.base.seed
    table = scores(model, Path("data/benchmark"), config.datasets, split, most, seed)
    with written_aside(out) as aside:
        table.to_csv(aside, index=False, float_format="%.6g")
    typer.echo(table.groupby("dataset")[list(COLUMNS)].mean().round(3).to_string())


@app.command()
def check_reports(
    cells: Annotated[int, typer.Option(help="how many values to recompute from stored logits")] = 20,
    seed: Annotated[int, typer.Option(help="which ones")] = 0,
) -> None:
    """Are reports/ what they say? Every table against its schema and the others, random values recomputed."""
    from uncertsam.base.checkout import needed
    from uncertsam.config.params import Config
    from uncertsam.experiments.contract import experiments
    from uncertsam.report.check import Places, problems

    needed("check-reports")
    config = Config.read()
    predictions, refined = (Path("data", name, config.base.model) for name in ("predictions", "refined"))
    places = Places(Path("reports"), Path("data/benchmark"), predictions, refined, config.predict.split)
    found = problems(places, cells, seed, experiments())
    for line in found[:50]:
        typer.echo(line)
    typer.echo(f"{len(found)} problems" if found else f"the reports are sound; {cells} values recomputed")
    raise typer.Exit(1 if found else 0)


@track.command()
def send() -> None:
    """Send the runs that are waiting (a server was unreachable, or stages were too short to bother)."""
    from uncertsam import tracking
    from uncertsam.base.checkout import needed

    needed("track send", "mlflow")
    sent = tracking.send()
    typer.echo(f"sent {sent.sent}, still waiting {sent.kept}" + (f": {sent.problem}" if sent.problem else ""))
    raise typer.Exit(1 if sent.kept else 0)


@track.command()
def rebuild() -> None:
    """Rebuild MLflow's view from reports/ and dvc.lock; deleting mlflow.db loses nothing."""
    from uncertsam import tracking
    from uncertsam.base.checkout import needed

    needed("track rebuild", "mlflow")
    sent = tracking.rebuild()
    typer.echo(f"sent {sent.sent}, still waiting {sent.kept}" + (f": {sent.problem}" if sent.problem else ""))
    raise typer.Exit(1 if sent.kept else 0)


def main() -> None:
    wait_passively()
    guarded(app)
