"""Every choice of back ends, in every role, is a configuration that the real Collector accepts."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, combinations, product
from typing import TYPE_CHECKING

import pytest
import yaml

from bear_otel.cli.collector_choice import Choice, choose
from bear_otel.cli.collector_files import ROLES, load_files
from bear_otel.cli.files import find_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.server

P = "BEAR_OTEL_COLLECTOR_"
KEYS = {
    "datadog": {"DD_API_KEY": "k"},
    "newrelic": {"NEW_RELIC_LICENSE_KEY": "k"},
    "prometheus": {f"{P}PROMETHEUS_LISTEN": "127.0.0.1:8889"},
    "sentry": {"SENTRY_DSN": "https://k@sentry.example/1"},
}
OTHERS = {
    "prometheus-remote-write": {f"{P}REMOTE_WRITE_URL": "http://prometheus.example/api/v1/write"},
    "otlp": {f"{P}OTLP_URL": "https://otlp.example"},
    "debug": {},
}
GATEWAYS = {f"{P}GATEWAY": "gateway:4317"}
FILES = load_files(find_folder("collector-config"))


def _subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    names = list(names)
    return list(chain.from_iterable(combinations(names, n) for n in range(len(names) + 1)))


def _validate(binary: Path, choice: Choice) -> str | None:
    """Return what is wrong: an error, or a warning such as a deprecated name."""
    done = subprocess.run(
        [binary, "validate", *choice.arguments],
        env=choice.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    return said if done.returncode or said else None


def _validate_all(binary: Path, choices: dict[str, Choice]) -> dict[str, str]:
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: (name, _validate(binary, choices[name])), choices)
        return {name: said for name, said in found if said}


def test_all_subsets_of_the_four_back_ends_in_all_roles(binary: Path) -> None:
    """2^4 subsets x 3 roles, chosen by name so that the agent takes them too."""
    choices = {}
    for subset, role in product(_subsets(KEYS), ROLES):
        environment = dict(GATEWAYS)
        for name in subset:
            environment |= KEYS[name]
        # The empty subset is valid to the Collector; only the command refuses it.
        extra = [] if subset else [FILES["base"].path]
        choice = choose(FILES, environment, role=role, backends=subset, extra=extra)
        assert {file.name for file in choice.backends} == {f"backends/{name}" for name in subset}
        choices[f"{role}: {' '.join(subset) or 'none'}"] = choice
    assert len(choices) == 48
    assert _validate_all(binary, choices) == {}


def test_the_other_layers_fit_every_role(binary: Path, tmp_path: Path) -> None:
    """Sampling, sources and security change what they own and break nothing else."""
    for name in ("cert", "key", "ca", "tokens"):
        (tmp_path / name).touch()
    layers = {
        "sampling": {"BEAR_OTEL_SAMPLING_DECIDED_BY": "collector"},
        "host metrics": {f"{P}HOST_METRICS_SECONDS": "30"},
        "many gateways": {f"{P}GATEWAYS": "gateway-0:4317,gateway-1:4317"},
        "tokens": {f"{P}TOKENS_FILE": str(tmp_path / "tokens")},
        "tls": {
            f"{P}TLS_CERT_FILE": str(tmp_path / "cert"),
            f"{P}TLS_KEY_FILE": str(tmp_path / "key"),
            f"{P}TLS_CLIENT_CA_FILE": str(tmp_path / "ca"),
        },
    }
    everything = KEYS | OTHERS
    choices = {}
    for subset, role in product(_subsets(layers), ROLES):
        environment = dict(GATEWAYS)
        for values in (*everything.values(), *(layers[name] for name in subset)):
            environment |= values
        choices[f"{role}: {' '.join(subset)}"] = choose(
            FILES, environment, role=role, backends=list(everything)
        )
    assert len(choices) == 96
    assert _validate_all(binary, choices) == {}


def test_an_agent_through_kafka(binary: Path) -> None:
    """The agent's half is checked; the lean binary has no Kafka receiver for the gateway's."""
    environment = {f"{P}KAFKA_BROKERS": "kafka-0:9092,kafka-1:9092"}
    choice = choose(FILES, environment, role="agent")
    assert [file.name for file in choice.files] == ["base", "privacy", "roles/agent", "agent/kafka"]
    assert _validate(binary, choice) is None
    gateway = choose(FILES, environment | KEYS["datadog"], role="gateway")
    assert "gateway/kafka" in {file.name for file in gateway.files}


def test_a_wrong_key_in_an_extra_file_is_refused(binary: Path, tmp_path: Path) -> None:
    """The opposite: `validate` does look."""
    extra = tmp_path / "extra.yaml"
    extra.write_text("processors: {memory_limiter: {limit_mb: 5}}")
    choice = choose(FILES, KEYS["datadog"], role="standalone", extra=[extra])
    assert "limit_mb" in (_validate(binary, choice) or "")


def test_a_back_end_file_only_adds() -> None:
    """No file changes what another has set, so any order and any subset mean the same."""
    owner: dict[tuple[str, ...], str] = {}
    shared = []
    # A role, sampling and security complete pipelines and receivers of the base on purpose.
    for name, file in FILES.items():
        if not name.startswith(("base", "backends/", "sources/")):
            continue
        leaves = _leaves(yaml.safe_load(file.path.read_text()))
        shared += [(leaf, name) for leaf in leaves if owner.setdefault(leaf, name) != name]
    assert shared == []


def _leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        return [path]
    return [leaf for key, child in value.items() for leaf in _leaves(child, (*path, str(key)))]
