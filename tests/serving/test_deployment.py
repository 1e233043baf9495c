"""The files for containers and clusters: valid by the schemas of Compose and Kubernetes, and true to the server."""

from pathlib import Path

import pytest
import yaml

from serving.application import Server
from serving.options import ServeOptions

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
        probes = {container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe")}
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
