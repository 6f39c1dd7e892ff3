"""WSGI middleware: every response says which process made it."""
import os


def worker_header(app, name="X-Worker-PID"):
    """Wraps a WSGI application: application = worker_header(application)."""
    def tagged(environ, start_response):
        def start(status, headers, exc_info=None):
            # Asked in the request: before the fork it would be the master's.
            return start_response(status, headers + [(name, str(os.getpid()))], exc_info)
        return app(environ, start)
    return tagged
