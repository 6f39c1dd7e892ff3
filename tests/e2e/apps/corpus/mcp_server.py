"""A server of the Model Context Protocol (streamable HTTP) whose sessions are a dict of the worker."""
import uuid

from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"status-flip", "read-your-writes"}, "cause": "worker-memory"}

server = Flask(__name__)
sessions = {}
TOOLS = [{"name": "add_note", "description": "Keeps a note", "inputSchema": {
    "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}]


def error(status, code, message):
    return jsonify(jsonrpc="2.0", id=None, error={"code": code, "message": message}), status


@server.post("/mcp")
def post():
    call = request.get_json()
    if call["method"] == "initialize":
        session = uuid.uuid4().hex
        sessions[session] = []
        oracle.promised("session " + session)
        answer = jsonify(jsonrpc="2.0", id=call["id"], result={
            "protocolVersion": "2025-03-26", "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"}})
        answer.headers["Mcp-Session-Id"] = session
        return answer
    session = request.headers.get("Mcp-Session-Id")
    if session is None:
        return error(400, -32000, "Bad Request: no session")
    oracle.honoured("session " + session, session in sessions)
    if session not in sessions:
        return error(404, -32001, "Session not found")
    if "id" not in call:
        return "", 202
    return jsonify(jsonrpc="2.0", id=call["id"], result=result_of(call, sessions[session]))


def result_of(call, notes):
    if call["method"] == "tools/list":
        return {"tools": TOOLS}
    text = call["params"]["arguments"]["text"]
    notes.append(text)
    return {"content": [{"type": "text", "text": "%d notes, the last: %s" % (len(notes), text)}]}


@server.get("/mcp")
def stream():
    return "", 405, {"Allow": "POST, DELETE"}


@server.delete("/mcp")
def end():
    sessions.pop(request.headers["Mcp-Session-Id"], None)
    oracle.withdrawn("session " + request.headers["Mcp-Session-Id"])
    return "", 204


app = oracle.watch(server)


def journey(client):
    """As the protocol's clients do: 404 for a session means to begin another."""
    for number in range(3):
        with client(keep_alive=number == 1) as agent:
            agent.headers["Accept"] = "application/json, text/event-stream"
            talk(agent, number)


def talk(agent, number):
    calls = [{"method": "notifications/initialized"}, {"id": 2, "method": "tools/list"}]
    calls += [{"id": 3 + n, "method": "tools/call", "params": {
        "name": "add_note", "arguments": {"text": "note %d of %d" % (n, number)}}} for n in range(4)]
    begin(agent)
    for call in calls:
        if agent.post("/mcp", json={"jsonrpc": "2.0", **call}).status_code == 404:
            begin(agent)
    agent.delete("/mcp")


def begin(agent):
    agent.headers.pop("Mcp-Session-Id", None)
    answer = agent.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-03-26", "capabilities": {},
        "clientInfo": {"name": "agent", "version": "1"}}})
    agent.headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
    agent.get("/mcp")
