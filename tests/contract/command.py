"""Runs the command on documents in temporary files."""
import json
import os
import subprocess
import tempfile


class Command:
    def __init__(self, foveal):
        self.foveal = os.path.abspath(foveal)
        self.folder = tempfile.TemporaryDirectory()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, document, name="input.json"):
        """`document` is a dictionary, text or bytes."""
        data = document
        if isinstance(document, dict):
            data = json.dumps(document)
        if isinstance(data, str):
            data = data.encode()
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def run(self, *arguments):
        return subprocess.run([self.foveal, *arguments], capture_output=True, text=True,
                              timeout=120, cwd=self.folder.name)


def complaint(result):
    return f"exit {result.returncode}: {result.stderr.strip()[:160]}"
