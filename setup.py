"""Builds the web page before the package: setup.cfg has the rest, but can run no program."""

import pathlib
import shutil
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

BUILD = pathlib.Path(__file__).parent / "scripts" / "page"


class BuildWithPage(build_py):
    """Makes chatd/static/page/ where npm is; the script decides, and says what it did not do."""

    def run(self) -> None:
        """Build the page, then collect the files of the package, that of the page among them."""
        if BUILD.exists():  # not in the image's build, which has the page from another stage
            try:
                # By name: below a /tmp whose programs may not be run pip builds packages, too.
                subprocess.run(["bash", BUILD], check=False)
            except OSError as exc:
                print(f"chatd: the web page is not built: {exc}", file=sys.stderr)
            self.__dict__.pop("data_files", None)  # looked for again, now that they are there
        # Of an earlier build: files whose names have changed would never leave it.
        shutil.rmtree(pathlib.Path(self.build_lib) / "chatd" / "static", ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": BuildWithPage})
