"""The examples of the TypeScript system's README, call by call, in Python.

It needs:         pip install 'bear-otel[genai]'
In one terminal:  bear-otel tail
In another one:   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python examples/original.py
"""

from __future__ import annotations

import asyncio
import time
import urllib.request

import bear_otel
from bear_otel import setup_production_monitoring


class Database:
    """Stands in for a database."""

    async def ping(self) -> None:
        """Answer after a while."""
        await asyncio.sleep(0.005)

    async def get_pool_status(self) -> dict[str, int]:
        """Say how the pool is."""
        return {"used": 2, "idle": 3}


class Model:
    """Stands in for a language model."""

    async def inference(self, prompt: str) -> str:
        """Answer after a while."""
        await asyncio.sleep(0.02)
        return f"You said: {prompt}"

    memory_usage = 4_200_000_000

    async def get_memory_usage(self) -> int:
        """Return the bytes that it takes."""
        return self.memory_usage


database, model = Database(), Model()

# --- Quick start, with what of `customConfig` is a matter of the service -------------------------
monitoring = setup_production_monitoring(
    "production",
    "1.0.0",
    custom_config={
        "enabled": True,
        "region": "eu-central-1",
        "deploymentId": "2024-06-01.3",
        "privacy": {
            "anonymizeData": True,
            "allowPersonalData": False,
            "respectDNT": True,
            "dataRetentionDays": 90,
        },
        # Not a tenth of the traces and a twentieth of the visitors: here is one of each.
        "sampling": {"performanceSampling": 1.0, "userSampling": 1.0},
    },
    enable_user_tracking=True,
)


def now_ms() -> float:
    """Return the time as JavaScript does."""
    return time.time() * 1000


# --- Custom health checks ------------------------------------------------------------------------
async def check_database() -> dict[str, object]:
    """Ping the database."""
    try:
        start = now_ms()
        await database.ping()
        response_time = now_ms() - start
        return {
            "name": "database",
            "status": "healthy" if response_time < 100 else "degraded",
            "timestamp": now_ms(),
            "responseTime": response_time,
            "details": {"connectionPool": await database.get_pool_status()},
        }
    except OSError as error:
        return {"name": "database", "status": "critical", "error": str(error)}


def check_external_service() -> dict[str, object]:
    """Ask another service; nobody listens there, so this one is unhealthy."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9/health", timeout=1) as response:
            status = "healthy" if response.status < 400 else "degraded"
            return {"name": "openai_api", "status": status, "details": {"status": response.status}}
    except OSError as error:
        return {"name": "openai_api", "status": "unhealthy", "error": str(error)}


# --- Model health check --------------------------------------------------------------------------
async def check_model() -> dict[str, object]:
    """Ask the model something."""
    start = now_ms()
    response = await model.inference("Hello, world!")
    return {
        "name": "model_availability",
        "status": "healthy" if response else "degraded",
        "timestamp": now_ms(),
        "responseTime": now_ms() - start,
        "details": {"model": "llama-7b", "memoryUsage": await model.get_memory_usage()},
    }


# --- User analytics (privacy-compliant) ----------------------------------------------------------
INTERACTION = {
    "sessionId": "session_123",
    "session": {"duration": 300_000, "pageViews": 3, "interactions": 15, "bounced": False},
    "performance": {
        "pageLoadTime": 1200,
        "firstContentfulPaint": 800,
        "largestContentfulPaint": 1100,
        "cumulativeLayoutShift": 0.1,
        "firstInputDelay": 50,
    },
    "behavior": {
        "clickCount": 15,
        "scrollDepth": 75,
        "timeOnPage": 120_000,
        "errorsEncountered": 0,
        "featuresUsed": ["chat", "file_upload"],
    },
    "device": {
        "type": "desktop",
        "os": "Windows 10",
        "browser": "Chrome 91",
        "screenResolution": "1920x1080",
        "viewport": "1200x800",
    },
}


async def main() -> None:
    """Do what the README does."""
    # Not awaited: nothing here waits for anything.
    monitoring.start()

    # The original's way to say it, and the shorter one: they are the same.
    monitoring.monitoring.record_metric(
        "business.signups", 1, "counter", {"source": "web", "plan": "premium"}
    )
    monitoring.record_metric(
        "business.revenue", 1299.99, "gauge", {"currency": "USD", "product": "premium"}
    )
    monitoring.record_metric(
        "api.response_time", 245, "histogram", {"endpoint": "/api/chat", "method": "POST"}
    )
    # A timer takes milliseconds, as in the original. It leaves in seconds.
    monitoring.record_metric(
        "ai.inference_time", 1850, "timer", {"model": "llama-7b", "request_type": "chat"}
    )

    # The numbers of tokens are left out, and a warning says so: as tags they would make a series
    # for each number.
    monitoring.record_metric(
        "ai.model.inference_time",
        1850,
        "histogram",
        {"model_id": "llama-7b", "input_tokens": str(512), "output_tokens": str(128)},
    )
    monitoring.record_metric(
        "ai.model.accuracy", 0.94, "gauge", {"model_id": "llama-7b", "dataset": "validation"}
    )
    monitoring.record_metric(
        "ai.model.memory_usage", await model.get_memory_usage(), "gauge", {"model_id": "llama-7b"}
    )

    # What a model deserves instead: OpenTelemetry's names, with tokens as values, a span for the
    # call, and memory that is asked for whenever metrics are sent.
    async with bear_otel.inference("llama-7b", provider="vllm") as call:
        await model.inference("Hello, world!")
        call.input_tokens, call.output_tokens = 512, 128
    bear_otel.record_evaluation("accuracy", 0.94, model="llama-7b", dataset="validation")
    bear_otel.watch_model_memory("llama-7b", lambda: model.memory_usage)

    monitoring.add_health_check("database", check_database)
    monitoring.add_health_check("openai_api", check_external_service)
    monitoring.add_health_check("model_availability", check_model)
    monitoring.add_health_check("model_answers", bear_otel.check_model(model.inference))

    status = monitoring.get_system_status()
    while None in status.checks.values():
        await asyncio.sleep(0.1)
        status = monitoring.get_system_status()
    print(f"the system is {status.state}")
    for name, result in status.checks.items():
        assert result is not None
        print(f"  {name}: {result.state} {dict(result.details)} {result.error or ''}".rstrip())

    # Nobody has agreed in the first call, and so nothing is recorded.
    print(f"recorded without consent: {monitoring.record_user_interaction(INTERACTION)}")
    agreed = monitoring.record_user_interaction(INTERACTION, consent=True)
    print(f"recorded with consent: {agreed}")

    monitoring.stop()


if __name__ == "__main__":
    asyncio.run(main())
