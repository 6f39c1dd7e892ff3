"""ASGI middleware: every response says which process made it."""
import os


class WorkerHeader:
    """Wraps an ASGI application: application = WorkerHeader(application)."""

    def __init__(self, app, name="X-Worker-PID"):
        self.app = app
        self.name = name.lower().encode()

    async def __call__(self, scope, receive, send):
        async def tagged(message):
            if message["type"] == "http.response.start":
                # Asked in the request: before a fork it would be the parent's.
                pid = (self.name, str(os.getpid()).encode())
                message = {**message, "headers": [*message.get("headers", []), pid]}
            await send(message)
        await self.app(scope, receive, tagged)
