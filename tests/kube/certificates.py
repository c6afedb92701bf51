"""An authority of one's own, made with openssl: it signs certificates of servers and of clients, for tests."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = "sudo apt-get install openssl"


def openssl(*arguments: str, folder: Path) -> None:
    """Run openssl; without it the test is skipped, or fails where everything must be there."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI"):
            pytest.fail(f"openssl is not installed: {INSTALL}")
        pytest.skip(f"needs openssl: {INSTALL}")
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as files in PEM."""

    pem: Path
    key: Path

    @property
    def inline(self) -> tuple[str, str]:
        """Both as a kubeconfig holds them."""
        pem, key = (base64.b64encode(file.read_bytes()).decode() for file in (self.pem, self.key))
        return pem, key


class Authority:
    """A certificate authority that nobody knows.

    Args:
        folder: where its files are.
        name: whose it is.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.own = Certificate(folder / "ca.pem", folder / "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem", folder=folder)  # fmt: skip
        (folder / "index.txt").touch()
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\ncopy_extensions = copy\nunique_subject = no\n"
            "[any]\ncommonName = supplied\n"
        )

    def signs(self, name: str, alternative: str = "", years: tuple[int, int] = (2020, 2120)) -> Certificate:
        """A certificate for this name.

        Args:
            name: the common name.
            alternative: the subject's alternative name, such as "IP:127.0.0.1".
            years: it is valid from the first to the second one's beginning.
        """
        stem = f"{name}-{years[1]}"
        extension = ["-addext", f"subjectAltName={alternative}"] if alternative else []
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", f"/CN={name}", *extension, "-keyout", f"{stem}.key", "-out", f"{stem}.csr",
                folder=self.folder)  # fmt: skip
        openssl("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-notext",
                "-startdate", f"{years[0]}0101000000Z", "-enddate", f"{years[1]}0101000000Z",
                "-in", f"{stem}.csr", "-out", f"{stem}.pem", folder=self.folder)  # fmt: skip
        return Certificate(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
