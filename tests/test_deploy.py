"""What stands in `deploy/` for training: every worker gets a TF_CONFIG that our reader takes."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cluster import read_cluster

FOLDER = Path(__file__).parent.parent / "deploy"


def test_the_slurm_script_describes_each_worker(tmp_path: Path) -> None:
    """With stand-ins for Slurm's commands and ours, which report what they get."""
    commands = {
        "scontrol": 'printf "node1\\nnode2\\n"',
        "srun": 'shift; for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; done',
        "unrolled": 'echo "$*"; echo "$TF_CONFIG"',
    }
    for name, program in commands.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\n{program}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "20007",
        "SLURM_JOB_NODELIST": "node[1-2]",
    }
    script = ["bash", str(FOLDER / "training.slurm"), "speech", "small", "--seed", "3"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    first, second = (done.stdout.splitlines()[place::2] for place in (0, 1))
    assert first == ["train speech small --seed 3 --training.strategy multi_worker"] * 2, done.stderr
    for rank, text in enumerate(second):
        cluster = read_cluster(text)
        assert (cluster.addresses, cluster.rank) == (("node1:20007", "node2:20007"), rank)


RAY = """
from types import SimpleNamespace

util = SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
init = lambda: None
get = lambda found, timeout=None: [each.value for each in found] if isinstance(found, list) else found.value
wait = lambda references: (references[-1:], references[:-1])

class Actor:
    def __init__(self, worker):
        self.worker = worker

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *given: Reference(getattr(self.worker, name)(*given)))

class Reference:
    def __init__(self, value):
        self.value = value

def remote(**needs):
    assert needs == {"scheduling_strategy": "SPREAD", "num_cpus": 2.0, "num_gpus": 0.0}
    return lambda kind: SimpleNamespace(remote=lambda: Actor(kind()))
"""


def test_the_ray_job_describes_each_worker(tmp_path: Path) -> None:
    """With stand-ins for Ray and for our command line."""
    (tmp_path / "ray.py").write_text(RAY)
    (tmp_path / "pipelines.py").write_text("import os, sys\nprint(sys.argv[1:])\nprint(os.environ.get('TF_CONFIG'))")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "RAY_CPUS": "2"}

    def lines(*arguments: str) -> list[str]:
        command = [sys.executable, str(FOLDER / "ray_job.py"), "2", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    trained = lines("train", "speech")
    assert trained[::2] == [str(["train", "speech", "--training.strategy", "multi_worker"])] * 2
    clusters = [read_cluster(text) for text in trained[1::2]]
    assert [each.rank for each in clusters] == [0, 1] and len(set(clusters[0].addresses)) == 2
    assert clusters[0].addresses == clusters[1].addresses
    shares = [["tag", "--workers", "1", "--share", f"{number}/2"] for number in (1, 2)]
    assert lines("tag")[::2] == list(map(str, shares))


def test_the_kubernetes_job_is_one_of_the_training_operator() -> None:
    """As its reference names the fields (kubeflow.org/v1, TFJob), and TF_CONFIG as the operator makes it of them."""
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((FOLDER / "training-tfjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    assert job["spec"].keys() <= {"runPolicy", "tfReplicaSpecs", "successPolicy", "enableDynamicWorker"}
    policy = {"activeDeadlineSeconds", "backoffLimit", "cleanPodPolicy", "schedulingPolicy", "suspend"}
    assert job["spec"]["runPolicy"].keys() <= policy
    jobs: dict[str, list[str]] = {}
    for role, replicas in job["spec"]["tfReplicaSpecs"].items():
        assert replicas.keys() == {"replicas", "restartPolicy", "template"}
        (container,) = replicas["template"]["spec"]["containers"]
        assert container["name"] == "tensorflow"
        assert container["ports"] == [{"name": "tfjob-port", "containerPort": 2222}]
        assert container["command"][:2] == ["unrolled", "train"] and "multi_worker" in container["command"]
        host = f"{job['metadata']['name']}-{role.lower()}"
        jobs[role.lower()] = [f"{host}-{number}.default.svc:2222" for number in range(replicas["replicas"])]
    text = json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 2}, "environment": "cloud"})
    assert read_cluster(text).rank == 3
