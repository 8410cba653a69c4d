"""A door before a server on this machine, which can be shut: whoever comes then is refused, as if it were off."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Gate:
    """Stands open when it is made."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: of the server behind it.
        """
        address = urlsplit(url)
        assert address.hostname and address.port
        self._behind = (address.hostname, address.port)
        self._port = 0
        self._door: socket.socket | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let everyone through, at the address of before."""
        self._door = socket.create_server(("127.0.0.1", self._port))
        self._port = self._door.getsockname()[1]
        threading.Thread(target=self._let_in, args=(self._door,), daemon=True).start()

    def shut(self) -> None:
        """Refuse whoever comes from now on."""
        assert self._door
        # A thread that waits at the socket would keep it open.
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _let_in(self, door: socket.socket) -> None:
        while True:
            try:
                guest, _ = door.accept()
            except OSError:
                return
            host = socket.create_connection(self._behind)
            for source, target in ((guest, host), (host, guest)):
                threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
