"""How gunicorn serves the corpus: WSGI under uvicorn's worker, and a line in the log when ready."""
from uvicorn.workers import UvicornWorker


class WsgiUvicornWorker(UvicornWorker):
    """A WSGI application on uvicorn: each request on a thread of its own."""

    CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, "interface": "wsgi"}
