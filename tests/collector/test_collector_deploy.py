"""The deployment files name files and variables that exist, and alerts that fire."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bear_otel.cli.collector_files import load_files, load_version
from bear_otel.cli.files import find_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = find_folder("collector-config")
DEPLOY = FOLDER / "deploy"
ALERTS = DEPLOY / "prometheus" / "collector-alerts.yml"


def _load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def _deployments() -> Iterator[tuple[str, list[str], dict[str, str], str]]:
    """Yield (name, arguments, environment, image) of each file that starts a Collector image."""
    service = _load("compose.yaml")["services"]["collector"]
    keys = {"DD_API_KEY": "k"}
    yield "compose", service["command"], service["environment"] | keys, service["image"]
    for name in ("agent", "gateway"):
        values = _load(f"helm/{name}.yaml")
        environment = {entry["name"]: entry["value"] for entry in values["extraEnvs"]} | keys
        image = f"{values['image']['repository']}:{values['image']['tag']}"
        yield name, values["command"]["extraArgs"], environment, image


DEPLOYMENTS = {name: rest for name, *rest in _deployments()}


def _mounted(argument: str, name: str) -> Path:
    """Return the file behind a path in the container, as the first lines of the file say."""
    inside = argument.removeprefix("--config=/etc/bear-otel/")
    if name == "compose":
        return FOLDER / inside
    from_files = re.findall(r"--from-file=(\S+)", (DEPLOY / f"helm/{name}.yaml").read_text())
    [path] = [FOLDER / path for path in from_files if Path(path).name == inside]
    return path


@pytest.mark.server
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_what_a_deployment_starts_is_valid(binary: Path, name: str) -> None:
    """The same files and variables as in the container pass the real Collector's check."""
    arguments, environment, image = DEPLOYMENTS[name]
    paths = [_mounted(argument, name) for argument in arguments]
    command = [binary, "validate", *(f"--config=file:{path}" for path in paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    known = {v for file in load_files(FOLDER).values() for v in file.variables}
    needed = {v for file in load_files(FOLDER).values() if file.path in paths for v in file.needs}
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert environment.keys() - known == environment.keys() & {"GOMEMLIMIT"}
    assert needed <= environment.keys()
    assert image == f"otel/opentelemetry-collector-contrib:{load_version(FOLDER)}"


def test_the_manifest_has_the_version_of_the_files() -> None:
    """One version everywhere: a component of another one may ignore its keys in silence."""
    manifest = yaml.safe_load((FOLDER / "manifest.yaml").read_text())
    modules = [m["gomod"] for kind in manifest if kind != "dist" for m in manifest[kind]]
    versions = {m.split()[1] for m in modules if "/confmap/provider/" not in m}
    assert versions == {f"v{load_version(FOLDER)}"}
    assert manifest["dist"]["version"] == load_version(FOLDER)


def test_each_alert_fires_and_stays_silent(tmp_path: Path) -> None:
    """Both directions of every rule, by Prometheus' own test tool."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: apt-get install prometheus")
    text = (Path(__file__).parent / "collector-alerts-test.yml").read_text()
    (tmp_path / "test.yml").write_text(text.replace("RULES", str(ALERTS)))
    for command in (
        ["promtool", "check", "config", "--lint=all", DEPLOY / "prometheus" / "prometheus.yml"],
        ["promtool", "test", "rules", tmp_path / "test.yml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    assert all(f"alertname: {rule['alert']}\n" in text for rule in rules)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """Checked without its program, which the machine of the tests has elsewhere."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "bear-otel-collector.service"
    text = (DEPLOY / "bear-otel-collector.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/bear-otel ", "/bin/true "))
    command = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_hardened() -> None:
    """By systemd's own scale: 0 is closed, 10 is open; the usual service has 9."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = DEPLOY / "bear-otel-collector.service"
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


# From the `config.schema.yaml` of components that the lean binary lacks.
SCHEMAS = {
    "http_check": {"collection_interval", "initial_delay", "timeout", "targets", "metrics"},
    "postgresql": {
        "collection_interval", "initial_delay", "timeout", "endpoint", "transport", "username",
        "password", "databases", "exclude_databases", "connect_database", "tls", "metrics",
        "events", "connection_pool", "query_sample_collection", "top_query_collection", "db_auth",
    },
    "kafka": {
        "brokers", "protocol_version", "client_id", "tls", "auth", "metadata", "group_id",
        "session_timeout", "heartbeat_interval", "initial_offset", "autocommit", "min_fetch_size",
        "max_fetch_size", "max_fetch_wait", "error_backoff", "header_extraction", "logs",
        "message_marking", "metrics", "profiles", "telemetry", "traces",
    },
}  # fmt: skip
NOT_IN_LEAN = {
    "sources/http-check": "http_check",
    "sources/postgresql": "postgresql",
    "gateway/kafka": "kafka",
}


@pytest.mark.parametrize("name", NOT_IN_LEAN)
def test_files_that_could_not_be_run_keep_to_the_schema(name: str) -> None:
    """Their components are in the published image, but not in the binary that the tests build."""
    file = load_files(FOLDER)[name]
    content = yaml.safe_load(file.path.read_text())
    component = NOT_IN_LEAN[name]
    assert content["receivers"][component].keys() <= SCHEMAS[component]
    assert f"component `{component}`" in file.path.read_text()
