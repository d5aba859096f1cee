"""A chat server on FastAPI, uvicorn and MongoDB: `fastapi_server.py MONGO_URL UPSTREAM TOKEN`."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from pymongo import AsyncMongoClient

MONGO_URL, UPSTREAM, TOKEN = sys.argv[1:4]


class Session(BaseModel):
    """A session, as it is stored and answered."""

    id: str
    user_id: str
    title: str = ""
    model: str
    last_message_at: datetime | None = None
    created_at: datetime


class Message(BaseModel):
    """A message, as it is stored and answered."""

    id: str
    session_id: str
    role: str
    content: str
    created_at: datetime


class NewSession(BaseModel):
    """The body that makes a session."""

    title: str = ""
    model: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database and the client of the model server."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGO_URL)
    db = client.get_default_database()
    await db.sessions.create_index([("user_id", 1), ("last_message_at", -1)])
    await db.messages.create_index([("session_id", 1), ("created_at", -1)])
    await db.tokens.update_one({"_id": TOKEN}, {"$set": {"user_id": "u1"}}, upsert=True)
    limits = httpx.Limits(max_connections=2000)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:
        app.state.db, app.state.http = db, http
        yield
    await client.close()


app = FastAPI(lifespan=lifespan)


async def find_user(token: str) -> str | None:
    """Return the id of the user whose token this is."""
    found = await app.state.db.tokens.find_one({"_id": token})
    return found["user_id"] if found else None


async def caller(authorization: Annotated[str, Header()]) -> str:
    """Return the id of the user who asks, or answer 401."""
    if user_id := await find_user(authorization.partition(" ")[2]):
        return user_id
    raise HTTPException(401)


@app.post("/ai-chat/api/sessions/", status_code=201)
async def create_session(body: NewSession, user_id: Annotated[str, Depends(caller)]) -> Session:
    """Store a session."""
    made = Session(
        id=str(uuid.uuid4()), user_id=user_id, created_at=datetime.now(UTC), **body.model_dump()
    )
    await app.state.db.sessions.insert_one({"_id": made.id, **made.model_dump()})
    return made


@app.get("/ai-chat/api/sessions/")
async def list_sessions(user_id: Annotated[str, Depends(caller)]) -> dict[str, list[Session]]:
    """Return the fifty sessions that were used last."""
    found = app.state.db.sessions.find({"user_id": user_id}).sort("last_message_at", -1).limit(50)
    return {"results": [Session(**one) async for one in found]}


@app.get("/ai-chat/api/sessions/{session_id}/messages/")
async def list_messages(
    session_id: str, user_id: Annotated[str, Depends(caller)]
) -> dict[str, list[Message]]:
    """Return the last fifty messages of a session."""
    if not await app.state.db.sessions.find_one({"_id": session_id, "user_id": user_id}):
        raise HTTPException(404)
    return {"results": [Message(**one) for one in await history(session_id)]}


async def history(session_id: str) -> list[dict[str, Any]]:
    """Return the last fifty messages of a session, oldest first."""
    messages = app.state.db.messages.find({"session_id": session_id})
    return (await messages.sort("created_at", -1).limit(50).to_list())[::-1]


async def store(session_id: str, role: str, content: str) -> Message:
    """Store a message."""
    made = Message(
        id=str(uuid.uuid4()),
        session_id=session_id,
        role=role,
        content=content,
        created_at=datetime.now(UTC),
    )
    await app.state.db.messages.insert_one({"_id": made.id, **made.model_dump()})
    await app.state.db.sessions.update_one(
        {"_id": session_id}, {"$set": {"last_message_at": made.created_at}}
    )
    return made


async def ask(model: str, messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Yield the pieces of the model's reply."""
    prompt = [{"role": one["role"], "content": one["content"]} for one in messages]
    body = {"model": model.rpartition("/")[2], "messages": prompt, "stream": True}
    async with app.state.http.stream(
        "POST", f"{UPSTREAM}/v1/chat/completions", json=body
    ) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                delta = json.loads(line[6:])["choices"][0]["delta"]
                if content := delta.get("content"):
                    yield content


@app.websocket("/ws/ai-chat/session/{session_id}/")
async def chat(websocket: WebSocket, session_id: str, token: str) -> None:
    """Answer the messages of one socket."""
    await websocket.accept()
    user_id = await find_user(token)
    session = await app.state.db.sessions.find_one({"_id": session_id, "user_id": user_id})
    if not session:
        return await websocket.close(4504)
    await websocket.send_json({"type": "connection_established", "session_id": session_id})
    try:
        while True:
            await turn(websocket, session, (await websocket.receive_json())["message"])
    except WebSocketDisconnect:
        pass


async def turn(websocket: WebSocket, session: dict[str, Any], text: str) -> None:
    """Store a message, and the reply that was streamed."""
    message = await store(session["_id"], "user", text)
    await websocket.send_json({"type": "user_message", "message": message.model_dump(mode="json")})
    await websocket.send_json({"type": "ai_typing", "message": "AI is thinking..."})
    pieces = []
    async for piece in ask(session["model"], await history(session["_id"])):
        pieces.append(piece)
        await websocket.send_json({"type": "ai_message_chunk", "content": piece})
    reply = await store(session["_id"], "assistant", "".join(pieces))
    event = {"type": "ai_message_complete", "message": reply.model_dump(mode="json")}
    await websocket.send_json(event)


if __name__ == "__main__":
    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)

    class Server(uvicorn.Server):
        """Says where it listens."""

        async def startup(self, sockets: Any = None) -> None:
            """Print the address."""
            await super().startup(sockets)
            port = self.servers[0].sockets[0].getsockname()[1]
            print(f"http://127.0.0.1:{port}", flush=True)

    Server(config).run()
