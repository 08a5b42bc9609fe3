"""`/status.json`, and the page at `/` that shows it in a browser: three small files, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Final

from aiohttp import web

from switch.http import json_page
from switch.switch_status import SwitchStatus

_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/status.css": ("page.css", "text/css"),
    "/status.js": ("page.js", "text/javascript"),
}
_HEADERS: Final = {
    # Only what this very switch serves, no inline code, nothing to send a form to, in nobody's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def status_pages(status: Callable[[], SwitchStatus]) -> list[web.RouteDef]:
    """The page, its files, and what it shows: made when somebody asks."""

    async def json(_request: web.Request) -> web.Response:
        return json_page(status())

    return [web.get("/status.json", json), *(_static(path, *file) for path, file in _FILES.items())]


def _static(path: str, name: str, content_type: str) -> web.RouteDef:
    text = files("switch").joinpath("status_page_files", name).read_text("utf-8")

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers=_HEADERS)

    return web.get(path, page)
