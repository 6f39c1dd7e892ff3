"""A WebSocket application: says its PID, then sends everything back, until it is told to die."""
import os
import signal


async def asgi(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(os.getpid())})
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        if message.get("text") == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4000})
            return
        reply = {"type": "websocket.send"}
        reply["text" if message.get("text") is not None else "bytes"] = (
            message.get("text") if message.get("text") is not None else message["bytes"])
        await send(reply)
