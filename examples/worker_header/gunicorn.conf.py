"""gunicorn -c gunicorn.conf.py …: a WSGI application that need not be changed says who answered."""


def post_worker_init(worker):
    app = worker.wsgi

    def tagged(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, headers + [("X-Worker-PID", str(worker.pid))], exc_info)
        return app(environ, start)

    worker.wsgi = tagged
