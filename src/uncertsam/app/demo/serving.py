"""Serve the page, on this machine alone unless told otherwise, with nothing fetched from elsewhere."""

import os
import socket
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from uncertsam.app.demo.session import SharedPredictor
from uncertsam.base.errors import UserError

LARGEST_FILE = "256mb"  # of an upload
# The browser is told to load from this server alone, whatever Gradio's own page asks for.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'; base-uri 'self'"
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def needed() -> None:
    """Raises UserError where Gradio is not installed. Settings that Gradio reads while it is imported are made here."""
    os.environ.update(QUIET)
    try:
        import_module("gradio")
    except ImportError:
        raise UserError("The page needs Gradio, which is not installed.", "pip install 'uncertsam[demo]'") from None


def bound(host: str, port: int) -> socket.socket:
    """A socket at host and port; 0 is any free one. Raises UserError where it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{host}:{port} cannot be used ({reason}).", "Choose another --port or --host.") from None


def serve(bench: SharedPredictor, host: str, port: int) -> None:
    """Serve until interrupted. Uploads and archives are deleted then. Raises UserError without Gradio or a port."""
    needed()
    import uvicorn

    with bound(host, port) as place, tempfile.TemporaryDirectory(prefix="uncertsam_demo_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        # an open page holds a connection for ever: the end does not wait for it
        config = uvicorn.Config(_application(bench, Path(folder)), log_level="warning", timeout_graceful_shutdown=2)
        print(f"the page is at {address(place)}  (Ctrl-C stops it)", flush=True)
        uvicorn.Server(config).run(sockets=[place])


def address(place: socket.socket) -> str:
    """What to type into a browser."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _application(bench: SharedPredictor, folder: Path) -> Any:
    """The page as an ASGI application that can read files from `folder` only, and sends `POLICY` with everything."""
    import gradio as gr
    from fastapi import FastAPI

    from uncertsam.app.demo._cards import STYLE
    from uncertsam.app.demo._page import build

    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Base(font=fonts, font_mono=["monospace"])
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        build(bench, folder),
        path="",
        theme=theme,
        css=STYLE,
        allowed_paths=[],
        max_file_size=LARGEST_FILE,
        show_error=False,
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
    )
    return Guarded(app)


class Guarded:
    """An ASGI application with `POLICY` in the head of every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                extra = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        await self.app(scope, receive, told)
