"""Serves every export below a folder, on this machine alone unless told otherwise."""

import contextlib
import gc
import json
import logging
import os
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.command_line import parse_options
from pipelines.configuration import ConfigurationError
from pipelines.versions import cores
from serving.options import ServeOptions
from unrolled_installation import check_libraries

LIBRARIES = ("starlette", "uvicorn", "httptools", "orjson", "websockets", "prometheus_client", "pandas")
THREADS = "TF_NUM_INTRAOP_THREADS"


def serve(arguments: Sequence[str]) -> None:
    """Runs the server until it is stopped: `[--folder exports] [--port 8501] …`."""
    options = parse_options(ServeOptions, arguments, "unrolled serve", __doc__ or "")
    check_libraries(LIBRARIES, "serve")
    import uvicorn

    from serving.connections import configuration
    from serving.watch import JsonLines

    _check_certificate(options)
    if not options.folder.is_dir():
        raise ConfigurationError(
            f"There is no folder of exports. Expected {options.folder}/NAME/VERSION. Write one: unrolled export TASK; "
            f"or name another: --folder. Received: {str(options.folder)!r}"
        )
    folder = options.folder.resolve()
    for pattern, above in (("*/saved_model.pb", folder.parent), ("saved_model.pb", folder.parent.parent)):
        if any(folder.glob(pattern)):
            raise ConfigurationError(
                "The folder is a single export. Expected the folder of all, FOLDER/NAME/VERSION. Name it: --folder "
                f"{above}. Received: {str(options.folder)!r}"
            )
    if not [*options.folder.glob("*/*/saved_model.pb")]:
        print(f"There is no export below {options.folder} yet. The server waits for the first one.", file=sys.stderr)
    for port in (options.port, options.grpc_port):
        if port:
            _refuse_address_in_use(options.host, port)
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    running = uvicorn.Server(configuration(application(options), options))
    with contextlib.suppress(KeyboardInterrupt):
        running.run()
    if not running.started:
        sys.exit(1)


def application(options: ServeOptions, begins_loaded: bool = False) -> Any:
    """Makes the application, in a process that has computed nothing yet; see `Server`.

    Operations of all workers share one pool of threads. Unless each has a core of its own, they wait for each other:
    small models then take a quarter longer.
    """
    import tensorflow as tf

    from serving.application import Server

    if options.threads is not None or THREADS not in os.environ:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads or cores(options.workers))
    return Server(options, _keep_out_of_collections, begins_loaded).application()


def _keep_out_of_collections() -> None:
    """Leaves what there is out of garbage collections: one of all that TensorFlow holds stops answers for a second."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _check_certificate(options: ServeOptions) -> None:
    """Finds out before the models are loaded whether the server can use its certificate."""
    if (options.certificate is None) != (options.key is None):
        raise ConfigurationError(
            "TLS needs a certificate and its key. Expected both. Give --certificate and --key. Received: one of them"
        )
    if options.certificate and options.key:
        try:
            # With a password, OpenSSL does not ask for one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.certificate, options.key, password="")
        except OSError as error:
            raise ConfigurationError(
                "TLS needs a certificate and its key, files in PEM, the key without a password. Expected such files. "
                f"Correct --certificate and --key. Received: {str(options.certificate)!r} and {str(options.key)!r} "
                f"({error.strerror or error})"
            ) from error


def _refuse_address_in_use(host: str, port: int) -> None:
    """Finds out before the models are loaded whether the server can listen."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise ConfigurationError(
            "The server cannot listen there. Expected an address of this machine, and a port that is free. Name "
            f"others: --host, --port. Received: {host}, port {port} ({error.strerror or error})"
        ) from error


def on_cluster(arguments: Mapping[str, Any]) -> Any:
    """Returns the server as an application of Ray Serve, which `serve run deploy/ray-serve.yaml` replicates.

    Args:
        arguments: options of the server by name; Ray's proxy listens, so `port`, `certificate` and `key` mean nothing.
    """
    check_libraries((*LIBRARIES, "ray"), "cluster")
    from ray import serve as ray_serve

    options = ServeOptions.from_json(json.dumps(dict(arguments)))

    # The function is called where a replica starts.
    return ray_serve.deployment(name="unrolled")(
        ray_serve.ingress(lambda: application(options, begins_loaded=True))()
    ).bind()
