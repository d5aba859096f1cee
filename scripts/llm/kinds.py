"""The kinds of model servers: what each tells of its models, in the shapes that it publishes.

All have the same models, MODELS. A kind answers GET /v1/models and the paths of its own API; chat
completions are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAKER = "publisher"

# name: context length, words for what it can do, whether it chats
MODELS: dict[str, tuple[int, tuple[str, ...], bool]] = {
    "qwen3:8b": (40960, ("tools", "thinking"), True),
    "gemma3:4b": (131072, ("vision",), True),
    "nomic-embed-text": (2048, (), False),
}
# What one model is started with, less than it could.
STARTED = {"qwen3:8b": 16384}

Documents = dict[str, Any]


def _openai(owner: str, **more: Callable[[str], Any]) -> Any:
    data = [
        {"id": name, "object": "model", "created": 1735142223, "owned_by": owner}
        | {key: value(name) for key, value in more.items()}
        for name in MODELS
    ]
    return {"object": "list", "data": data}


def _shown(name: str) -> Any:
    size, can, chats = MODELS[name]
    started = f"num_ctx                        {STARTED[name]}\n" if name in STARTED else ""
    return {
        "parameters": f'{started}stop                           "<|im_end|>"',
        "capabilities": ["completion", *can] if chats else ["embedding"],
        "details": {"format": "gguf", "family": "family", "quantization_level": "Q4_K_M"},
        "model_info": {
            "general.architecture": "family",
            "general.parameter_count": 8030261248,
            "family.attention.head_count": 32,
            "family.context_length": size,
            "tokenizer.ggml.tokens": None,
        },
    }


def ollama() -> Documents:
    """Ollama: GET /api/tags, and POST /api/show for each model."""
    tags = [
        {"name": name, "model": name, "size": 7365960935, "details": {"format": "gguf"}}
        for name in MODELS
    ]
    return {
        "GET /v1/models": _openai("library"),
        "GET /api/tags": {"models": tags},
        **{f"POST /api/show {name}": _shown(name) for name in MODELS},
    }


def vllm() -> Documents:
    """VLLM: the list has the length, nothing has the rest."""
    return {
        "GET /v1/models": _openai(
            "vllm", root=lambda name: name, max_model_len=lambda name: MODELS[name][0]
        )
    }


def llama_cpp() -> Documents:
    """Server of llama.cpp: one model; its length in `meta`, the rest in GET /props."""
    name, (size, _, _) = next(iter(MODELS.items()))
    meta = {"vocab_type": 2, "n_ctx_train": size, "n_params": 8030261312, "size": 4912898304}
    item = {"id": name, "object": "model", "owned_by": "llamacpp", "meta": meta}
    settings = {"id": 0, "n_ctx": STARTED[name], "params": {"temperature": 0.8}}
    return {
        "GET /v1/models": {"object": "list", "data": [item]},
        "GET /props": {
            "default_generation_settings": settings,
            "total_slots": 1,
            "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True},
            "modalities": {"vision": False, "audio": True},
        },
    }


def lm_studio() -> Documents:
    """LM Studio since 0.4: GET /api/v1/models."""
    models = []
    for name, (size, can, chats) in MODELS.items():
        config = {"context_length": STARTED.get(name), "flash_attention": True}
        model = {
            "type": "llm" if chats else "embedding",
            "publisher": MAKER,
            "key": name,
            "loaded_instances": [{"id": f"{name}:2", "config": config}] if name in STARTED else [],
            "max_context_length": size,
        }
        reasoning = {"allowed_options": ["off", "on"], "default": "on"}
        features = {"vision": "vision" in can, "trained_for_tool_use": "tools" in can}
        if chats:
            model["capabilities"] = features | (
                {"reasoning": reasoning} if "thinking" in can else {}
            )
        models.append(model)
    return {
        "GET /v1/models": _openai("organization_owner"),
        "GET /api/v1/models": {"models": models},
    }


def lm_studio_v0() -> Documents:
    """LM Studio before 0.4: GET /api/v0/models, which says nothing of reasoning."""
    models = []
    for name, (size, can, chats) in MODELS.items():
        kind = "embeddings" if not chats else "vlm" if "vision" in can else "llm"
        model = {"id": name, "object": "model", "type": kind, "publisher": MAKER}
        model |= {"state": "not-loaded", "max_context_length": size}
        if name in STARTED:
            model |= {"state": "loaded", "loaded_context_length": STARTED[name]}
        if "tools" in can or not chats:  # it says so of models that embed, too
            model["capabilities"] = ["tool_use"]
        models.append(model)
    return {
        "GET /v1/models": _openai("organization_owner"),
        "GET /api/v0/models": {"object": "list", "data": models},
    }


def litellm() -> Documents:
    """LiteLLM's proxy: some of it in the list, all in GET /model/info."""
    data = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}"},
            "model_info": {
                "id": "e889baacd17f591cce4c63639275ba5e8dc60765d6c553e6ee5a504b19e50ddc",
                "mode": "chat" if chats else "embedding",
                "max_tokens": 4096,
                "max_input_tokens": size,
                "supports_function_calling": "tools" in can or None,
                "supports_vision": "vision" in can,
                "supports_reasoning": "thinking" in can,
            },
        }
        for name, (size, can, chats) in MODELS.items()
    ]
    return {
        "GET /v1/models": _openai(
            "openai",
            mode=lambda name: "chat" if MODELS[name][2] else "embedding",
            max_input_tokens=lambda name: MODELS[name][0],
        ),
        "GET /model/info": {"data": data},
    }


def openrouter() -> Documents:
    """OpenRouter: the list says all."""

    def architecture(name: str) -> Any:
        _, can, chats = MODELS[name]
        inputs = ["text", "image"] if "vision" in can else ["text"]
        outputs = ["text"] if chats else ["embeddings"]
        return {"input_modalities": inputs, "output_modalities": outputs, "tokenizer": "Other"}

    def parameters(name: str) -> Any:
        of = {"tools": ("tools", "tool_choice"), "thinking": ("reasoning", "include_reasoning")}
        return ["max_tokens", *(word for key in MODELS[name][1] for word in of.get(key, ()))]

    return {
        "GET /v1/models": _openai(
            MAKER,
            context_length=lambda name: MODELS[name][0],
            architecture=architecture,
            supported_parameters=parameters,
        )
    }


KINDS: dict[str, Callable[[], Documents]] = {
    "ollama": ollama,
    "vllm": vllm,
    "llama.cpp": llama_cpp,
    "lm-studio": lm_studio,
    "lm-studio-v0": lm_studio_v0,
    "litellm": litellm,
    "openrouter": openrouter,
}
