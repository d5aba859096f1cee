"""What the own APIs of model servers say, beside OpenAI's.

Each reader takes a document as it was decoded and returns facts by model name. What is not of the
expected shape raises LookupError, TypeError, ValueError or AttributeError.
"""

from __future__ import annotations

import re
from typing import Any

from chatd.discovery.facts import Facts, length, meanings, of_kind, of_words, words
from chatd.gathering import is_word

_NUM_CTX = re.compile(r"^\s*num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)


def ollama_names(tags: Any) -> dict[str, Facts]:
    """Read Ollama's GET /api/tags: only names; /api/show knows more about each."""
    return {model["name"]: Facts() for model in tags["models"] if is_word(model["name"])}


def ollama(shown: Any) -> Facts:
    """Read Ollama's POST /api/show: what the model was made for, and `num_ctx` if that is set.

    https://docs.ollama.com/api-reference/show-model-details
    """
    about = shown.get("model_info") or {}
    most = length(about.get(f"{about.get('general.architecture')}.context_length"))
    found = _NUM_CTX.search(shown.get("parameters") or "")
    given = int(found[1]) if found else None
    can = words(shown.get("capabilities"))
    return Facts(
        context_length=min(given, most) if given and most else given or most,
        capabilities=meanings(can),
        chats=of_words(can),
    )


def lm_studio(answer: Any) -> dict[str, Facts]:
    """Read LM Studio's GET /api/v1/models: its models, and their instances that are loaded.

    https://lmstudio.ai/docs/developer/rest/list
    """
    found: dict[str, Facts] = {}
    for model in answer["models"]:
        loaded = model["loaded_instances"]
        sizes = [instance["config"].get("context_length") for instance in loaded]
        facts = Facts(
            context_length=length(*sizes, model.get("max_context_length")),
            capabilities=meanings(words(model.get("capabilities"))),
            chats=of_kind(model["type"]) is None,
        )
        found |= dict.fromkeys([model["key"], *(instance["id"] for instance in loaded)], facts)
    return found


def lm_studio_v0(answer: Any) -> dict[str, Facts]:
    """Read GET /api/v0/models of LM Studio before 0.4, where a model that sees is a `vlm`.

    https://lmstudio.ai/docs/developer/rest/endpoints
    """
    return {
        model["id"]: Facts(
            context_length=length(
                model.get("loaded_context_length"), model.get("max_context_length")
            ),
            capabilities=meanings(words(model.get("capabilities")))
            | (frozenset({"vision"}) if model["type"] == "vlm" else frozenset()),
            chats=of_kind(model["type"]) is None,
        )
        for model in answer["data"]
    }


def llama_cpp(props: Any) -> Facts:
    """Read GET /props of llama.cpp's server, which has one model.

    `n_ctx` is what one request may use, https://github.com/ggml-org/llama.cpp tools/server/README.
    """
    can = words(props.get("modalities")) | words(props.get("chat_template_caps"))
    size = props["default_generation_settings"].get("n_ctx")
    return Facts(context_length=length(size), capabilities=meanings(can))


def litellm(answer: Any) -> dict[str, Facts]:
    """Read GET /model/info of LiteLLM's proxy; of several deployments the first one counts.

    https://docs.litellm.ai/docs/proxy/model_management
    """
    found: dict[str, Facts] = {}
    for model in answer["data"]:
        about = model["model_info"]
        facts = Facts(
            context_length=length(about.get("max_input_tokens"), about.get("max_tokens")),
            capabilities=meanings(words(about)),
            chats=of_kind(about.get("mode")),
        )
        found[model["model_name"]] = found.get(model["model_name"], Facts()).over(facts)
    return found


def anthropic(answer: Any) -> dict[str, Facts]:
    """Read a page of Anthropic's GET /v1/models.

    All models in it call tools, which it says nowhere; a retired one is listed and answers nobody.
    https://platform.claude.com/docs/en/api/models/list
    """
    found: dict[str, Facts] = {}
    for model in answer["data"]:
        told = model.get("capabilities") or {}
        can = {name for name, about in told.items() if about and about.get("supported")}
        if is_word(model["id"]):
            found[model["id"]] = Facts(
                context_length=length(model.get("max_input_tokens")),
                capabilities=meanings(can | {"tools"}),
                chats=model.get("lifecycle") != "retired",
            )
    return found
