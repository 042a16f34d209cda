"""`headrace serve` as a child process."""
import os
import re
import signal
import subprocess
import threading

from models import ROOT

LISTENING = re.compile(r"is listening on http://(\S+)")
GRPC = re.compile(r"gRPC is listening on (\S+)")
PATIENCE_SECONDS = 60


class Server:
    """Addresses are `host:port`, as Triton's clients take them. Ends with the `with` block."""

    def __init__(self, *arguments, grpc=True):
        command = ["node", str(ROOT / "dist" / "cli" / "main.js"), "serve", *map(str, arguments)]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *(["--grpc-port", "0"] if grpc else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self.output = ""
        self._grew = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.http = self._find(LISTENING)
        self.grpc = self._find(GRPC) if grpc else None

    @property
    def url(self):
        return f"http://{self.http}"

    def _read(self):
        for line in self.process.stdout:
            with self._grew:
                self.output += line
                self._grew.notify_all()
        with self._grew:
            self._grew.notify_all()

    def _find(self, pattern):
        """The address in a line of the output."""
        with self._grew:
            found = self._grew.wait_for(
                lambda: pattern.search(self.output) or self.process.poll() is not None, PATIENCE_SECONDS
            )
            if match := pattern.search(self.output):
                return match[1]
        self.stop()
        why = "ended" if found else "was silent"
        raise RuntimeError(f"the server {why} before it said {pattern.pattern}:\n{self.output}")

    def stop(self):
        """As an operator does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
