"""The real kubectl, as a person would type it."""

import os
import re
import shlex
import shutil
import subprocess

import pytest


def binary():
    """Where kubectl is. No package registry carries it, so where it is missing the tests are skipped, everywhere."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("NOT TESTED: needs kubectl 1.29 or newer (https://kubernetes.io/docs/tasks/tools/)")
    return found


class Kubectl:
    """Runs kubectl against an API, with a home and a cache of its own."""

    def __init__(self, k8s, home):
        self.binary = binary()
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(k8s.kubeconfig), "TZ": "UTC"}

    def start(self, words):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([self.binary, *shlex.split(words)], env=self.env, cwd=self.home, text=True, **pipes)

    def __call__(self, words, **env):
        """What it prints, and after that its exit code if it is not 0."""
        done = subprocess.run(
            [self.binary, *shlex.split(words)], env={**self.env, **env}, cwd=self.home,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return done.stdout + done.stderr + (f"exit code {done.returncode}\n" if done.returncode else "")


def session(path):
    """The commands of a session in a file, each with what it prints."""
    for part in path.read_text(encoding="utf-8").split("$ kubectl ")[1:]:
        words, _, expected = part.partition("\n")
        yield words, expected


def fits(said, expected):
    """Whether a text is as expected; … stands for anything in a line, and a line of … for any lines.

    Empty lines do not count: kubectls of different versions have them in different places.
    """
    said, expected = without_empty_lines(said), without_empty_lines(expected)
    pattern = re.escape(expected).replace(re.escape("\n…"), r"(?:\n.*)*").replace("…", r"[^\n]*")
    return re.fullmatch(pattern, said) is not None


def without_empty_lines(text):
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
