"""Facts about a model: what counts, and what OpenAI's list says of it.

The list itself says no more than names. Servers add to it what they know, each in fields of its
own: vLLM, llama.cpp, LM Studio, LiteLLM, OpenRouter, Mistral, Groq, Together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatd.gathering import is_count, is_word
from chatd.provider import ModelInfo
from chatd.types import Value

# What chatd tells of models, and the words that servers have for it.
_WORDS = {
    "tools": {
        *("tools", "tool_use", "tool_calls", "function_calling", "trained_for_tool_use"),
        *("supports_function_calling", "supports_tools", "supports_tool_calls"),
    },
    "vision": {"vision", "image", "image_input", "supports_vision"},
    "audio": {"audio", "supports_audio_input"},
    "reasoning": {"reasoning", "thinking", "include_reasoning", "supports_reasoning"},
}
CAPABILITIES = tuple(_WORDS)
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}

_CHATS = {"completion", "chat", "completion_chat"}
_OTHER = {"embedding", "embeddings", "rerank", "reranker", "moderation", "transcription"}
_OTHER_KINDS = {
    *_OTHER,
    *("image", "image_generation", "video", "audio", "audio_transcription", "audio_speech"),
}

# The first that is told counts: what the server was started with goes before what the model could.
LENGTHS = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio
    "n_ctx",  # llama.cpp, in `meta`
    "max_context_length",  # LM Studio, Mistral
    "context_length",  # OpenRouter, Together
    "context_window",  # Groq
    "max_input_tokens",  # LiteLLM
    "n_ctx_train",  # llama.cpp, in `meta`
)


class Facts(Value, frozen=True, kw_only=True):
    """What is known of a model; `chats` is None when nobody said whether it does.

    `is_settled` is about a list: whether the server's own API has nothing to add to it.
    """

    context_length: int | None = None
    capabilities: frozenset[str] = frozenset()
    chats: bool | None = None
    is_settled: bool = False

    def over(self, other: Facts) -> Facts:
        """Return what both say together; this one goes before the other."""
        return Facts(
            context_length=self.context_length or other.context_length,
            capabilities=self.capabilities | other.capabilities,
            chats=other.chats if self.chats is None else self.chats,
        )

    def info(self, name: str) -> ModelInfo:
        """Return the model as a provider names it."""
        told = tuple(word for word in CAPABILITIES if word in self.capabilities)
        return ModelInfo(name=name, context_length=self.context_length, capabilities=told)


def listed(answer: Any) -> dict[str, Facts]:
    """Return the models of OpenAI's list, or of a bare one, by name.

    Raises LookupError, TypeError or AttributeError for what is no list. A model without a usable
    name is left out.
    """
    items = answer["data"] if isinstance(answer, dict) else answer
    return {item["id"]: _facts_of(item) for item in items if is_word(item.get("id"))}


def offered(known: Mapping[str, Facts]) -> list[ModelInfo]:
    """Return the models that chat, or of which nobody says that they do not."""
    return [facts.info(name) for name, facts in known.items() if facts.chats is not False]


def length(*values: Any) -> int | None:
    """Return the first of these that is a number of tokens."""
    return next((value for value in values if is_count(value) and value), None)


def words(told: Any) -> set[str]:
    """Return what a list, or an object of what is and what is not, says that there is."""
    if isinstance(told, dict):
        return {word for word, value in told.items() if value}
    return {word for word in told if isinstance(word, str)} if isinstance(told, list) else set()


def meanings(told: Iterable[str]) -> frozenset[str]:
    """Return which of our capabilities these words of a server mean."""
    return frozenset(_MEANING[word] for word in told if word in _MEANING)


def of_kind(kind: Any) -> bool | None:
    """Return whether a model of this `type` or `mode` chats, None if that cannot be told."""
    if not isinstance(kind, str):
        return None
    return False if kind.lower() in _OTHER_KINDS else None


def of_words(told: set[str]) -> bool | None:
    """Return whether a model that can do this chats: one that only embeds does not."""
    if told & _CHATS:
        return True
    return False if told & _OTHER else None


def _facts_of(item: dict[str, Any]) -> Facts:
    meta, top = item.get("meta"), item.get("architecture")
    told = {**meta, **item} if isinstance(meta, dict) else item
    architecture = top if isinstance(top, dict) else {}
    can = words(item.get("capabilities"))
    inputs = words(architecture.get("input_modalities"))
    parameters = words(item.get("supported_parameters"))
    size = length(*(told.get(key) for key in LENGTHS))
    return Facts(
        context_length=size,
        # llama.cpp and LiteLLM (`mode` is its) know more than they list.
        is_settled=size is not None and item.get("owned_by") != "llamacpp" and "mode" not in item,
        capabilities=meanings(can | inputs | parameters),
        chats=next((told for told in _chats(item, can, architecture) if told is not None), None),
    )


def _chats(item: dict[str, Any], can: set[str], architecture: dict[str, Any]) -> Iterator[Any]:
    yield of_kind(item.get("type"))
    yield of_kind(item.get("mode"))
    yield of_words(can)
    if outputs := words(architecture.get("output_modalities")):
        yield "text" in outputs
    if isinstance(item.get("capabilities"), dict) and "completion_chat" in item["capabilities"]:
        yield False  # Mistral's object says what there is not, too
