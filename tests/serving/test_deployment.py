"""The files for containers and clusters: valid by the schemas of Compose and Kubernetes, and true to the server."""

import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from serving.application import Server
from serving.options import ServeOptions
from tests.serving.conftest import Client

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
KUBERNETES = sorted(DEPLOY.glob("kubernetes*.yaml"))


def paths(folder: Path) -> set[str]:
    return {route.path for route in Server(ServeOptions(folder=folder)).application().routes}  # type: ignore[attr-defined]


def test_compose_accepts_its_file() -> None:
    compose_spec = pytest.importorskip("compose_spec", reason="needs unrolled[test]")
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    compose_spec.ComposeSpecification.model_validate(yaml.safe_load(text))
    with pytest.raises(ValueError):
        broken = yaml.safe_load(text.replace("restart: unless-stopped", "restart: [sometimes]"))
        compose_spec.ComposeSpecification.model_validate(broken)
    services = yaml.safe_load(text)["services"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "nothing is opened to a network"
        for volume in service["volumes"]:
            assert volume == "../exports:/models:ro"


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_kubernetes_accepts_its_file(path: Path, tmp_path: Path) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="needs unrolled[test]")
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for document in documents:
        validator.validate(document, validator.latest_version(), strict=True)
    deployment, service, *_ = documents
    with pytest.raises(validator.ValidationError):
        validator.validate({**deployment, "spec": {"replicas": "two"}}, validator.latest_version(), strict=True)
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"].items() >= service["spec"]["selector"].items()
    (container,) = template["spec"]["containers"]
    names = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in template["spec"]["volumes"]}
    if container["image"] == "unrolled-serve":
        probes = {container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe", "startupProbe")}
        assert probes <= paths(tmp_path)
        shutdown = ServeOptions(folder=tmp_path).shutdown_seconds
        assert template["spec"]["terminationGracePeriodSeconds"] > shutdown, "open requests are answered"


def test_the_image_starts_the_server() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (entry,) = [yaml.safe_load(line.removeprefix("ENTRYPOINT")) for line in lines if line.startswith("ENTRYPOINT")]
    assert entry[:2] == ["unrolled", "serve"]
    options = dict(zip(entry[2::2], entry[3::2], strict=True))
    assert {name.removeprefix("--") for name in options} <= ServeOptions.model_fields.keys()
    assert "USER server" in lines, "not as root"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs unrolled[cluster]")
def test_a_cluster_answers_as_the_server(exports: Path, tmp_path: Path) -> None:
    """A cluster of one machine, which `serve run` starts with the file that we ship."""
    configuration = yaml.safe_load((DEPLOY / "ray-serve.yaml").read_text(encoding="utf-8"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration["http_options"]["port"] = port
    configuration["applications"][0]["args"]["folder"] = str(exports)
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    command = [sys.executable, "-m", "ray.serve.scripts", "run", str(tmp_path / "serve.yaml")]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": "local"}
    with (tmp_path / "log").open("w+") as log:
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            client, last = Client(port), time.monotonic() + 240
            while not _is_ready(client):
                assert running.poll() is None and time.monotonic() < last, (tmp_path / "log").read_text()
                time.sleep(0.2)
            assert client.predict({"instances": [1.5]}) == (200, {"predictions": [3.0]})
            refused = client.predict({"instances": ["a"]})
            assert refused.status == 400 and "value: holds what is no float32" in refused.body["error"]
        finally:
            running.terminate()
            running.wait(60)


def _is_ready(client: Client) -> bool:
    try:
        return client("/readyz").status == 200
    except OSError:
        return False
