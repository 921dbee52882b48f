"""The pages: HTML written once when the server starts; what they show, their scripts ask for."""

from __future__ import annotations

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.web.access import SIGN_IN_PAGE, Access, Handler, Visitor
from nand_edge_runtime.web.answers import NO_STORE, Refusal
from nand_edge_runtime.web.roles import Role

_FOLDER = Path(__file__).parent / "pages"
_STATIC = Path(__file__).parent / "static"

_LINKS = (("/", "Live"), ("/words", "Words"), ("/history", "History"), ("/audit", "Audit log"), ("/users", "Users"))
_PAGES = {
    "/": ("live", "Live", Role.VIEWER),
    "/words": ("words", "Words", Role.VIEWER),
    "/history": ("history", "History", Role.VIEWER),
    "/frame": ("frame", "Frame", Role.VIEWER),
    "/audit": ("audit", "Audit log", Role.VIEWER),
    "/account": ("account", "Your account", Role.VIEWER),
    "/users": ("users", "Users", Role.ENGINEER),
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page_routes(access: Access, *, station: str) -> list[Route]:
    """The routes of all pages and of what they are made of.

    Args:
        access: Knows who asks.
        station: The station's name.
    """
    environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)

    def written(name: str, title: str, here: str) -> Handler:
        html = environment.get_template(f"{name}.html.j2").render(
            name=name,
            title=title,
            here=here,
            links=_LINKS,
            station=station,
            reasons=[reason.value for reason in Reason],
        )

        async def page(_request: Request, _visitor: Visitor) -> Response:
            return HTMLResponse(html, headers=NO_STORE)

        return page

    pages = [
        Route(place, access.page(role, written(name, title, place)), methods=["GET"])
        for place, (name, title, role) in _PAGES.items()
    ]
    sign_in = Route(SIGN_IN_PAGE, access.open(written("sign-in", "Sign in", SIGN_IN_PAGE)), methods=["GET"])
    return [*pages, sign_in, Route("/static/{name}", access.open(_static()), methods=["GET"])]


def _static() -> Handler:
    """Answers with the files, which are read once: what is not among them is not there, whatever its name."""
    files = {file.name: (file.read_bytes(), _TYPES[file.suffix]) for file in _STATIC.iterdir() if file.suffix in _TYPES}
    tags = {name: f'"{hashlib.sha256(content).hexdigest()[:32]}"' for name, (content, _) in files.items()}

    async def static(request: Request, _visitor: Visitor) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise Refusal(404, "There is nothing here.")
        content, kind = files[name]
        # Asked for again each time, so that a newer station's page never runs with an older one's scripts.
        headers = {"ETag": tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return static
