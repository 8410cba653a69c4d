"""The routes of the server: pages, pictures, the style sheet, and the page that takes files."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fitness_buddy.core.errors import BuddyError, UsageError, machine_error
from fitness_buddy.report.site.page import NoSuchPageError
from fitness_buddy.report.site.pictures import WIDTHS_PX
from fitness_buddy.report.site.render import PAGES, STYLE, page_html, style
from fitness_buddy.serve.guard import Access, Guard, same
from fitness_buddy.serve.loads import Loads
from fitness_buddy.serve.views import ServerLinks, Views

# Seconds after which a page that waits is read again.
_AGAIN_S = 2


class Site:
    """Answers requests."""

    def __init__(self, views: Views, loads: Loads, access: Access, athlete_id: str, max_upload_bytes: int) -> None:
        self._views = views
        self._loads = loads
        self._access = access
        self._athlete_id = athlete_id
        self._max_upload_bytes = max_upload_bytes

    def app(self) -> ASGIApp:
        """Return the application, guarded."""
        routes = [
            Route("/", self.page),
            Route(f"/{STYLE}", self.style),
            Route("/load", self.load, methods=["GET"]),
            Route("/load", self.take, methods=["POST"]),
            Route("/picture/{page}/{picture}-{width}.svg", self.picture),
            *(Route(f"/{kind.name}", self.page) for kind in PAGES.values() if kind.name != "overview"),
            *(Route(f"/{kind.name}/{{key:path}}", self.page) for kind in PAGES.values() if kind.key),
        ]
        handlers = {404: self._no_page, 405: self._no_page}
        return Guard(Starlette(routes=routes, exception_handlers=handlers), self._access)

    def page(self, request: Request) -> Response:
        name = request.url.path.split("/")[1] or "overview"
        subject = {PAGES[name].key: request.path_params["key"]} if "key" in request.path_params else {}
        return self._answer(lambda: HTMLResponse(self._views.page(name, _query(request) | subject)))

    def picture(self, request: Request) -> Response:
        name, picture, width = (request.path_params[part] for part in ("page", "picture", "width"))

        def answer() -> Response:
            if width not in WIDTHS_PX:
                raise NoSuchPageError(f"there is no width {width!r}")
            svg = self._views.picture(name, _query(request), picture, width)
            return Response(svg, media_type="image/svg+xml")

        return self._answer(answer)

    def style(self, _request: Request) -> Response:
        return Response(style(), media_type="text/css")

    def load(self, _request: Request) -> Response:
        """Show the form, or the running load."""
        return HTMLResponse(self._load_page())

    async def take(self, request: Request) -> Response:
        """Take a file from the form, and begin to load it."""
        if not self._access.is_own_origin(request.headers):
            return self._message("This form came from another page: open “Load files” here.", 403)
        if not same(request.query_params.get("csrf", ""), self._access.form_token):
            return self._message("This form is of an earlier run: open “Load files” again.", 403)
        size = request.headers.get("content-length", "")
        if not size.isdecimal():
            return self._message("The browser did not say how large the file is.", 411)
        if int(size) > self._max_upload_bytes:
            limit = f"{self._max_upload_bytes / 1e6:,.0f} MB"
            return self._message(f"The file is larger than {limit}: load it with `buddy ingest PATH`.", 413)
        try:
            async with request.form(max_files=1, max_fields=1) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile) or not file.filename:
                    return self._message("No file was chosen.", 400)
                await run_in_threadpool(self._loads.start, file.filename, file.file)
        except (MultiPartException, HTTPException):
            return self._message("The browser sent no form with one file.", 400)
        except BuddyError as error:
            return self._message(str(error), 409)
        except OSError as error:
            return self._message(str(machine_error(error)), 507)
        return RedirectResponse("/load", 303)

    def _answer(self, answer: Callable[[], Response]) -> Response:
        running = self._loads.last
        if running and running.state == "building":
            return self._message(f"The numbers are being updated with {running.name}.", 503, again_s=_AGAIN_S)
        try:
            return answer()
        except NoSuchPageError as error:
            return self._message(str(error), 404)
        except UsageError as error:
            return self._message(str(error), 400)
        except BuddyError as error:
            return self._message(str(error), 503)

    def _no_page(self, request: Request, _error: Exception) -> Response:
        return self._message(f"There is no page {request.url.path}.", 404)

    def _load_page(self) -> str:
        last = self._loads.last
        return self._html(
            "site/load.html.j2",
            name="load",
            title="Load files",
            last=last,
            again_s=_AGAIN_S if last and last.is_running else 0,
            action=f"/load?csrf={self._access.form_token}",
            max_upload_mb=self._max_upload_bytes // 1_000_000,
        )

    def _message(self, words: str, status: int, again_s: int = 0) -> Response:
        title = "One moment" if again_s else "This cannot be shown"
        page = self._html("site/message.html.j2", name="", title=title, words=words, again_s=again_s)
        return HTMLResponse(page, status)

    def _html(self, template: str, **values: object) -> str:
        return page_html(ServerLinks(), template, athlete_id=self._athlete_id, **values)


def _query(request: Request) -> dict[str, str]:
    """Return the query of an address.

    Raises:
        UsageError: a name is stated twice: either value would be silently dropped.
    """
    stated = request.query_params.multi_items()
    query = dict(stated)
    if len(stated) > len(query):
        raise UsageError("a filter is stated twice in the address")
    return query
