"""Runs a command of Unrolled on a Ray cluster: a training with several workers, or work on many inputs in shares.

    ray job submit --working-dir . -- python deploy/ray_job.py 4 train speech base
    ray job submit --working-dir . -- python deploy/ray_job.py 4 transcribe /shared/talks --output /shared/texts.jsonl

The first argument is the number of workers, which Ray places on as many nodes as it can; RAY_CPUS and RAY_GPUS are what
each has, by default one processor, and UNROLLED_START_SECONDS how long they may wait for it, by default 50. All need
Unrolled, the same data, and for a job of inputs the output's folder.
Ray Data is not used: it would move the inputs through its object store, and took twice the time of a loop.
"""

import json
import os
import socket
import subprocess
import sys

import ray


class Worker:
    """One process of the command, on some node."""

    def __init__(self) -> None:
        with socket.create_server(("", 0)) as free:
            self.address = f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def get_address(self) -> str:
        return self.address

    def run(self, rank: int, addresses: list[str], arguments: list[str]) -> int:
        """Runs the command with its TF_CONFIG or its share, and returns the exit status."""
        environment = dict(os.environ)
        if arguments[0] == "train":
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            environment["TF_CONFIG"] = json.dumps(task)
            arguments = [*arguments, "--training.strategy", "multi_worker"]
        else:
            arguments = [*arguments, "--workers", "1", "--share", f"{rank + 1}/{len(addresses)}"]
        return subprocess.run([sys.executable, "-m", "pipelines", *arguments], env=environment).returncode


def main(count: int, arguments: list[str]) -> None:
    """Starts the workers, and ends all at the first failure."""
    ray.init()
    needs = {"num_cpus": float(os.environ.get("RAY_CPUS", "1")), "num_gpus": float(os.environ.get("RAY_GPUS", "0"))}
    actor = ray.remote(scheduling_strategy="SPREAD", **needs)(Worker)
    workers = [actor.remote() for _ in range(count)]
    seconds = float(os.environ.get("UNROLLED_START_SECONDS", "50"))
    try:
        addresses = ray.get([worker.get_address.remote() for worker in workers], timeout=seconds)
    except ray.exceptions.GetTimeoutError:
        sys.exit(
            f"Error: Ray has started fewer than {count} workers in {seconds:g} s. Expected room for all at once. Start "
            "fewer, lower RAY_CPUS or RAY_GPUS, or raise UNROLLED_START_SECONDS where nodes come slowly. Received: "
            f"{needs} for each, {ray.cluster_resources()} in all"
        )
    running = {worker.run.remote(rank, addresses, arguments): rank for rank, worker in enumerate(workers)}
    while running:
        (ended,), _ = ray.wait(list(running))
        rank = running.pop(ended)
        try:
            status = ray.get(ended)
        except ray.exceptions.RayError as error:  # its node or its process is gone
            status = error
        if status:
            sys.exit(
                f"Error: worker {rank} ({addresses[rank]}) failed, and the others were ended. Expected all to reach "
                "the end. Its output is above. Remove the cause, then submit the command again, with --resume if a "
                f"training had begun. Received: {status}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
