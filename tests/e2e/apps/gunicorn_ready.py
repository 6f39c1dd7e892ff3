"""Configuration of gunicorn: each worker says when it is about to accept; some take seconds."""


def post_worker_init(worker):
    worker.log.info("Worker is ready: %d", worker.pid)
