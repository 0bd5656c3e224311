"""Measure the calls of a model that the application runs or reaches itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bear_otel.settings import ConfigurationError

if TYPE_CHECKING:
    from bear_otel.sources.genai_inference import InferenceBlock


def inference(model: str, *, provider: str, operation: str = "chat") -> InferenceBlock:
    """Measure one call of a model, as `with` or `async with`.

    A client that OpenTelemetry instruments needs none of it. Around such a call this block is the
    one that counts: the client's own instrumentation adds what it knows, and no second span.

    Args:
        model: What is asked, `gen_ai.request.model`; it becomes a label.
        provider: Who answers, `gen_ai.provider.name`: `openai`, or a server of your own such as
            `vllm`.
        operation: `gen_ai.operation.name`: `chat`, `text_completion`, `generate_content`,
            `embeddings`, or another short word.

    Raises:
        ConfigurationError: A name that is empty, or `opentelemetry-util-genai` is missing.
    """
    for what, name in (("model", model), ("provider", provider), ("operation", operation)):
        if not isinstance(name, str) or not name:
            where = f"{what} of an inference"
            raise ConfigurationError(where, name, "text that is not empty")
    try:
        from bear_otel.sources.genai_inference import InferenceBlock
    except ModuleNotFoundError:
        accepted = "it needs: pip install 'bear-otel[genai]'"
        raise ConfigurationError("bear_otel.inference", model, accepted) from None
    return InferenceBlock(model, provider, operation)
