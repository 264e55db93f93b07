"""`uncertsam demo`: the page to try it on."""

from typing import Annotated

import typer

from uncertsam.app.commands.your_data import Device, Fitted, Model, Name


def add_to(app: typer.Typer) -> None:
    """Declare it."""
    app.command()(demo)


def demo(
    host: Annotated[str, typer.Option(help="0.0.0.0 lets others in, who then use this machine")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one", min=0, max=65535)] = 7860,
    model: Model = "sam2_nano",
    name: Name = None,
    device: Device = "auto",
    fitted: Fitted = None,
    seed: Annotated[int, typer.Option(help="of the methods' random numbers")] = 0,
) -> None:
    """A page in the browser: draw a box or click, see what is uncertain by several methods, click there.

    Needs Gradio: pip install 'uncertsam[demo]'. Example: uncertsam demo --port 8000
    """
    from uncertsam.app.demo.serving import needed, serve

    needed()
    from uncertsam.app.api.predictor import UncertaintyPredictor
    from uncertsam.app.demo.session import SharedPredictor

    predictor = UncertaintyPredictor.from_pretrained(model, ["sam"], device, name, fitted=fitted, seed=seed)
    serve(SharedPredictor(predictor), host, port)
