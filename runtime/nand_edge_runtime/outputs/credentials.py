"""Passwords and files that the settings name, looked up before the station starts, so that a fault is said at once."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.outputs.settings import TlsSettings


def secret(variable: str | None, output: str) -> str | None:
    """The value of an environment variable, hidden from all logs from now on; None where none is named.

    Raises:
        NandEdgeError: There is no such variable.
    """
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise NandEdgeError(
            f"output {output!r}",
            found=f"no environment variable {variable}",
            needed="the secret that the settings name",
            do=f"set {variable} for the station, for example in the service's EnvironmentFile",
        )
    REDACTOR.hide(value)
    return value


def existing(path: Path, output: str) -> str:
    """The path of a file that is there.

    Raises:
        NandEdgeError: It is not.
    """
    if not path.is_file():
        raise NandEdgeError(
            f"output {output!r}",
            found=f"no file {str(path)!r}",
            needed="the certificate or key that the settings name",
            do="correct the path; a relative one counts from the folder of the settings file",
        )
    return str(path)


def client_context(tls: TlsSettings, output: str) -> ssl.SSLContext:
    """What a client needs for TLS, of version 1.2 at least.

    Raises:
        NandEdgeError: A file is not there, or is no certificate or key.
    """
    password = secret(tls.key_password_env, output)
    try:
        context = ssl.create_default_context(cafile=existing(tls.ca_file, output) if tls.ca_file else None)
        if tls.certificate_file is not None and tls.key_file is not None:
            # Without a password a key that has one would be asked for on the terminal.
            context.load_cert_chain(
                existing(tls.certificate_file, output), existing(tls.key_file, output), password=password or ""
            )
    except (ssl.SSLError, OSError) as error:
        raise NandEdgeError(
            f"output {output!r}",
            found=f"certificates or a key that cannot be used ({type(error).__name__})",
            needed="PEM files that belong together, and the key's password",
            do="check ca_file, certificate_file, key_file and key_password_env",
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.verify == "server"
    return context
