"""A certificate for loopback, and what a daemon is told of it."""

import ssl
import subprocess
from pathlib import Path

from .scene_error import SceneError


def settings(directory: Path, *sections: str) -> dict[str, object]:
    """Keys for `Bench.daemon`: these sections, such as http, speak TLS."""
    certificate, key = directory / "tls.pem", directory / "tls.key"
    if not certificate.exists():
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
        try:
            subprocess.run(command, capture_output=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            raise SceneError("openssl made no certificate: apt-get install openssl") from None
    return {f"{section}__tls": "true" for section in sections} | {"tls__certificate": certificate, "tls__key": key}


def client() -> ssl.SSLContext:
    """Takes any certificate: it is the scene's own daemon that is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
