"""One example of everything that the documents name: the same conversation throughout."""

from __future__ import annotations

from typing import Any

SESSION_ID = "0192f3a4-7c10-7a51-9c0d-2e4b8f6a1c33"
USER_ID = "0192f3a4-7bf0-7e02-8d11-5a7c9b3e2f44"
QUESTION_ID = "0192f3a4-7c11-7b10-9a2c-7d5e4f3a2b10"
GENERATION_ID = "0192f3a4-7c11-7d20-8b1e-3f6a5c9d0e12"  # the answer's id too
PRESET_ID = "0192f3a4-7c05-7c88-b1d3-6e9f0a2b4c55"
REQUEST_ID = "0192f3a4-7d00-7f01-a0b1-c2d3e4f5a6b7"
BEGUN, ENDED = "2026-11-22T10:15:00.120Z", "2026-11-22T10:15:01.480Z"
TEXT = "Paris is the capital of France."
SETTINGS = {"temperature": 0.7, "options": {"top_p": 0.9}}
LOG = {"generation_id": GENERATION_ID, "message_id": GENERATION_ID}

SESSION: dict[str, Any] = {
    "id": SESSION_ID,
    "title": "Capitals",
    "model": "llm/qwen3:8b",
    "system_prompt": "Answer in one sentence.",
    "settings": SETTINGS,
    "preset_id": None,
    "is_active": True,
    "message_count": 2,
    "last_message_at": ENDED,
    "head_id": GENERATION_ID,
    "version": 3,
    "metadata": {"color": "green"},
    "created_at": BEGUN,
    "updated_at": BEGUN,
}
QUESTION: dict[str, Any] = {
    "id": QUESTION_ID,
    "session_id": SESSION_ID,
    "seq": 1,
    "revision": 1,
    "parent_id": None,
    "role": "user",
    "content": "What is the capital of France?",
    "parts": [],
    "status": "complete",
    "model": None,
    "generation_id": GENERATION_ID,
    "client_id": "tab-1:17",
    "usage": None,
    "finish_reason": None,
    "error": None,
    "created_at": BEGUN,
    "updated_at": BEGUN,
}
BEGINNING = QUESTION | {
    "id": GENERATION_ID,
    "seq": 2,
    "revision": 2,
    "parent_id": QUESTION_ID,
    "role": "assistant",
    "content": "",
    "status": "streaming",
    "model": "llm/qwen3:8b",
    "client_id": None,
}
USAGE = {"prompt_tokens": 24, "completion_tokens": 8, "total_tokens": 32}
ANSWER = BEGINNING | {
    "revision": 3,
    "content": TEXT,
    "status": "complete",
    "usage": USAGE,
    "finish_reason": "stop",
    "updated_at": ENDED,
}
FOUND = {
    "message": ANSWER,
    "session": {"id": SESSION_ID, "title": SESSION["title"]},
    "snippet": TEXT,
    "highlights": [[13, 20]],
    "rank": 1.9,
}
FAILURE = {"code": "provider_timeout", "message": "llm took too long.", "retryable": True}
FAILED = ANSWER | {
    "content": "Paris is",
    "status": "error",
    "usage": None,
    "finish_reason": None,
    "error": FAILURE,
}
MODEL: dict[str, Any] = {
    "id": "llm/qwen3:8b",
    "name": "qwen3:8b",
    "provider": "llm",
    "context_length": 40960,
    "capabilities": ["tools"],
    "is_default": False,
    "is_active": True,
    "last_seen_at": BEGUN,
}
PRESET: dict[str, Any] = {
    "id": PRESET_ID,
    "name": "Brief",
    "description": "One sentence for everything.",
    "system_prompt": "Answer in one sentence.",
    "model": "qwen3:8b",
    "settings": SETTINGS,
    "is_public": False,
    "owner": USER_ID,
    "source": "presets_store",
    "editable": True,
    "version": 1,
    "created_at": BEGUN,
    "updated_at": BEGUN,
}
USER: dict[str, Any] = {
    "id": USER_ID,
    "name": "alice",
    "roles": [],
    "preferences": {"default_model": "llm/qwen3:8b"},
}
GREETING: dict[str, Any] = {
    "type": "connection_established",
    "epoch": "0192f3a4-7b00-7a00-8000-1f2e3d4c5b6a",
    "server": "chatd/0.1.0",
    "protocol": 1,
    "ping_interval": 25.0,
}
PROBLEM: dict[str, Any] = {
    "type": "urn:chatd:error:invalid_input",
    "title": "Bad Request",
    "status": 400,
    "detail": "Something is wrong with: settings.temperature.",
    "code": "invalid_input",
    "errors": {"settings.temperature": ["Must be less than or equal to 2."]},
}
PAGE = {"next": None, "previous": None}
SENT = {"message": "What is the capital of France?", "client_id": "tab-1:17"}
AGAIN = {"message_id": GENERATION_ID, "client_id": "tab-1:19"}
STOP = {"generation_id": GENERATION_ID, "seen_seq": 4}

_ANSWERS: dict[str, Any] = {
    "Session": SESSION,
    "Message": ANSWER,
    "Model": MODEL,
    "Preset": PRESET,
    "User": USER,
    "Usage": USAGE,
    "MessageError": FAILURE,
    "SessionList": PAGE | {"results": [SESSION]},
    "MessageList": PAGE | {"results": [QUESTION, ANSWER]},
    "FoundSession": FOUND["session"],
    "SearchResult": FOUND,
    "SearchPage": PAGE | {"results": [FOUND]},
    "ModelList": PAGE | {"results": [MODEL], "default": MODEL["id"]},
    "PresetList": PAGE | {"results": [PRESET]},
    "TurnEnd": {"user_message": QUESTION, "ai_message": ANSWER},
    "TurnAccepted": {"user_message": QUESTION, "generation_id": GENERATION_ID},
    "Stopped": {"stopped": True},
    "SignedIn": {"token": "chatd_...", "expires_at": None, "user": USER},
    "SocketTicket": {"ticket": "chatd_...", "expires_at": "2026-11-22T10:15:30.120Z"},
    "SyncReport": {
        "synced": 3,
        "added": 1,
        "updated": 2,
        "deactivated": 0,
        "providers": {
            "llm": {"ok": True, "models": 3},
            "other": {"ok": False, "models": 0, "error": "other took too long."},
        },
    },
    "Healthy": {"status": "healthy", "latency_ms": 2.4, "models": 3},
    "Unhealthy": {"status": "unhealthy", "code": "provider_unavailable"},
    "Alive": {"status": "ok"},
    "Ready": {"status": "ready"},
    "Stats": {
        "sessions": {"total": 1, "active": 1},
        "messages": {"total": 2, "user": 1, "assistant": 1},
        "tokens": {"prompt": 24, "completion": 8, "total": 32},
        "models": {"llm/qwen3:8b": 1},
        "first_message_at": BEGUN,
        "last_message_at": ENDED,
    },
    "Problem": PROBLEM,
    "TurnProblem": {
        "type": "urn:chatd:error:provider_timeout",
        "title": "Bad Gateway",
        "status": 502,
        "detail": "llm took too long.",
        "code": "provider_timeout",
        "request_id": REQUEST_ID,
        "retryable": True,
        "user_message": QUESTION,
        "ai_message": FAILED,
    },
}
_BODIES: dict[str, Any] = {
    "NewSession": {"title": "Capitals", "model": "qwen3:8b", "settings": SETTINGS},
    "SessionChanges": {"title": "Capitals of Europe", "settings": {"temperature": None}},
    "NewPreset": {"name": "Brief", "system_prompt": "Answer in one sentence."},
    "PresetChanges": {"description": "One sentence for everything."},
    "SessionFromPreset": {"title": "Capitals"},
    "UserChanges": {"preferences": {"default_model": "llm/qwen3:8b"}},
    "ModelChanges": {"is_default": True},
    "SendMessage": SENT,
    "EditMessage": {"content": "And of Italy?", "client_id": "tab-1:18"},
    "Regenerate": AGAIN,
    "StopGeneration": STOP,
    "Credentials": {"ticket": "chatd_..."},
    "Nothing": {},
}
_COMMANDS: dict[str, Any] = {
    "SendMessageCommand": {"type": "send_message"} | SENT,
    "RegenerateCommand": {"type": "regenerate"} | AGAIN,
    "EditMessageCommand": {"type": "edit_message", "message_id": QUESTION_ID}
    | {"message": "And of Italy?", "client_id": "tab-1:18"},
    "TypingCommand": {"type": "typing"},
    "StopTypingCommand": {"type": "stop_typing"},
    "PingCommand": {"type": "ping", "t": 1},
    "StopGenerationCommand": {"type": "stop_generation"} | STOP,
    "ResumeCommand": {"type": "resume", "generation_id": GENERATION_ID, "after_seq": 2},
}
_EVENTS: dict[str, Any] = {
    "SessionGreeting": GREETING
    | {
        "session_id": SESSION_ID,
        "message": "Connected to the chat session.",
        "revision": 3,
        "head_id": GENERATION_ID,
        "generation": None,
    },
    "ListGreeting": GREETING
    | {"message": "Connected to the session list.", "sessions": [SESSION], "next": None},
    "UserMessage": {"type": "user_message", "message": QUESTION},
    "AiTyping": {"type": "ai_typing", "message": "AI is thinking..."}
    | LOG
    | {"ai_message": BEGINNING},
    "AiMessageChunk": {"type": "ai_message_chunk", "content": "the capital", "prev": 1, "seq": 3}
    | LOG
    | {"full_content": "Paris is the capital"},
    "AiReasoningChunk": {"type": "ai_reasoning_chunk", "content": "France..."}
    | LOG
    | {"prev": 0, "seq": 1},
    "AiToolCall": {"type": "ai_tool_call", "tool_call_id": "call_1", "name": "look_up"}
    | {"arguments": '{"country": "France"}', "prev": 1, "seq": 2}
    | LOG,
    "AiToolResult": {"type": "ai_tool_result", "tool_call_id": "call_1", "name": "look_up"}
    | {"result": {"capital": "Paris"}, "is_error": False, "prev": 2, "seq": 3}
    | LOG,
    "AiMessageComplete": {
        "type": "ai_message_complete",
        "message": ANSWER,
        "generation_id": GENERATION_ID,
    },
    "Error": {"type": "error"} | FAILURE | {"generation_id": GENERATION_ID, "ai_message": FAILED},
    "UserTyping": {"type": "user_typing", "is_typing": True}
    | {"user": {"id": USER_ID, "name": "alice"}},
    "MessageUpdated": {"type": "message_updated", "message": ANSWER},
    "SessionCreated": {"type": "session_created", "session": SESSION | {"message_count": 0}},
    "SessionUpdated": {"type": "session_updated", "session": SESSION},
    "SessionDeleted": {"type": "session_deleted", "session": SESSION | {"is_active": False}},
    "SessionPong": {"type": "pong", "t": 1, "revision": 3, "generation": None},
    "ListPong": {"type": "pong", "t": 1},
    "GenerationStarted": {"type": "generation_started", "status": "running"}
    | {"session_id": SESSION_ID, "generation_id": GENERATION_ID},
    "GenerationEnded": {"type": "generation_ended", "status": "complete"}
    | {"session_id": SESSION_ID, "generation_id": GENERATION_ID},
}

# By the name of the schema; as JSON Schema has it, several are possible.
EXAMPLES: dict[str, list[Any]] = {
    name: [example]
    for table in (_ANSWERS, _BODIES, _COMMANDS, _EVENTS)
    for name, example in table.items()
}
