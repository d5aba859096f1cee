"""A chat server on Django, Channels and daphne: `channels_server.py DATABASE UPSTREAM TOKEN`."""

from __future__ import annotations

import json
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import django
import httpx
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from daphne.server import Server
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection, models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, re_path

DATABASE, UPSTREAM, TOKEN = sys.argv[1:4]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    USE_TZ=True,
)
django.setup()


class Token(models.Model):
    """What a caller proves itself with."""

    key = models.CharField(max_length=64, primary_key=True)
    user_id = models.CharField(max_length=36)

    class Meta:
        app_label = "chat"


class Session(models.Model):
    """A session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user_id = models.CharField(max_length=36)
    title = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200)
    last_message_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "chat"
        indexes = (models.Index(fields=["user_id", "-last_message_at"], name="recent"),)

    def dump(self) -> dict[str, Any]:
        """Return what is answered."""
        names = ("id", "user_id", "title", "model", "last_message_at", "created_at")
        return {name: getattr(self, name) for name in names}


class Message(models.Model):
    """A message."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    session = models.ForeignKey(Session, models.CASCADE)
    role = models.CharField(max_length=16)
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "chat"
        indexes = (models.Index(fields=["session", "-created_at"], name="newest"),)

    def dump(self) -> dict[str, Any]:
        """Return what is answered and sent."""
        return {
            "id": str(self.id),
            "session_id": str(self.session_id),
            "role": self.role,
            "content": self.content,
            "created_at": self.created_at.isoformat(),
        }


async def find_user(key: str) -> str | None:
    """Return the id of the user whose token this is."""
    token = await Token.objects.filter(key=key).afirst()
    return token.user_id if token else None


async def history(session: Session) -> list[Message]:
    """Return the last fifty messages of a session, oldest first."""
    newest = Message.objects.filter(session=session).order_by("-created_at")[:50]
    return [message async for message in newest][::-1]


async def store(session: Session, role: str, content: str) -> Message:
    """Store a message."""
    message = await Message.objects.acreate(session=session, role=role, content=content)
    await Session.objects.filter(pk=session.pk).aupdate(last_message_at=message.created_at)
    return message


async def sessions(request: HttpRequest) -> HttpResponse:
    """Make a session, or list the fifty that were used last."""
    user_id = await find_user(request.headers.get("Authorization", "").partition(" ")[2])
    if user_id is None:
        return HttpResponse(status=401)
    if request.method == "POST":
        made = await Session.objects.acreate(user_id=user_id, **json.loads(request.body))
        return JsonResponse(made.dump(), status=201)
    found = Session.objects.filter(user_id=user_id).order_by("-last_message_at")[:50]
    return JsonResponse({"results": [one.dump() async for one in found]})


async def messages(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """List the last fifty messages of a session."""
    user_id = await find_user(request.headers.get("Authorization", "").partition(" ")[2])
    session = await Session.objects.filter(pk=session_id, user_id=user_id).afirst()
    if session is None:
        return HttpResponse(status=404)
    return JsonResponse({"results": [message.dump() for message in await history(session)]})


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """One socket of one session."""

    http: httpx.AsyncClient | None = None

    async def connect(self) -> None:
        """Accept the socket of the session's owner."""
        await self.accept()
        query = self.scope["query_string"].decode()
        user_id = await find_user(query.partition("token=")[2].partition("&")[0])
        session_id = self.scope["url_route"]["kwargs"]["session_id"]
        session = await Session.objects.filter(pk=session_id, user_id=user_id).afirst()
        if session is None:
            return await self.close(4504)
        self.session = session
        await self.send_json({"type": "connection_established", "session_id": session_id})

    async def receive_json(self, content: dict[str, Any]) -> None:
        """Store a message, and the reply that was streamed."""
        message = await store(self.session, "user", content["message"])
        await self.send_json({"type": "user_message", "message": message.dump()})
        await self.send_json({"type": "ai_typing", "message": "AI is thinking..."})
        pieces = []
        async for piece in self.ask(await history(self.session)):
            pieces.append(piece)
            await self.send_json({"type": "ai_message_chunk", "content": piece})
        reply = await store(self.session, "assistant", "".join(pieces))
        await self.send_json({"type": "ai_message_complete", "message": reply.dump()})

    async def ask(self, shown: list[Message]) -> AsyncIterator[str]:
        """Yield the pieces of the model's reply."""
        if ChatConsumer.http is None:
            limits = httpx.Limits(max_connections=2000)
            ChatConsumer.http = httpx.AsyncClient(timeout=30, limits=limits)
        prompt = [{"role": one.role, "content": one.content} for one in shown]
        model = self.session.model.rpartition("/")[2]
        body = {"model": model, "messages": prompt, "stream": True}
        url = f"{UPSTREAM}/v1/chat/completions"
        async with ChatConsumer.http.stream("POST", url, json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    if content := delta.get("content"):
                        yield content


urlpatterns = [
    path("ai-chat/api/sessions/", sessions),
    path("ai-chat/api/sessions/<uuid:session_id>/messages/", messages),
]
sockets = [re_path(r"^ws/ai-chat/session/(?P<session_id>[0-9a-f-]+)/$", ChatConsumer.as_asgi())]


def prepare() -> None:
    """Make the tables and the caller's token."""
    with connection.schema_editor() as editor:
        for model in (Token, Session, Message):
            editor.create_model(model)
    Token.objects.create(key=TOKEN, user_id="u1")


if __name__ == "__main__":
    if not Path(DATABASE).exists():
        prepare()
    application = ProtocolTypeRouter(
        {"http": get_asgi_application(), "websocket": URLRouter(sockets)}
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Server(
        application,
        endpoints=[f"tcp:port={port}:interface=127.0.0.1"],
        ready_callable=lambda: print(f"http://127.0.0.1:{port}", flush=True),
        verbosity=0,
    ).run()
