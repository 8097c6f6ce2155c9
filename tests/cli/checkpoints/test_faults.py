"""Faults on the way: a command that is killed goes on where it was, an answer may break off."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from tests.cli.checkpoints.s3_proxy import Asked, S3Proxy
from tests.cli.conftest import Atelier
from tests.cli.terminal import ROOT
from tests.cli.test_tasks import lines

MIB = 2**20
DATA = random.Random(1).randbytes(40 * MIB)
NAME = "Lora/großer Stil + 100%.safetensors"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def started(*words: str | Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "checkpoints", *map(str, words)],
        cwd=ROOT,
        start_new_session=True,
    )


def killed(process: "subprocess.Popen[bytes]") -> None:
    process.kill()

    assert process.wait(timeout=20) == -signal.SIGKILL


def part_of(asked: Asked) -> str | None:
    return parse_qs(urlsplit(asked.path).query).get("partNumber", [None])[0]


def until(what: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Wait until this is so, while a command runs."""
    while not what():
        assert process.poll() is None
        time.sleep(0.02)


def test_a_push_that_was_killed_sends_the_rest(
    bare: Atelier, bucket: str, proxy: S3Proxy, source: Path, tmp_path: Path
) -> None:
    proxy.holds = lambda asked: part_of(asked) == "3"
    words = ("push", source, "--name", NAME, "--store", bucket, "--json")
    process = started(*words)
    _until_two_are_there(proxy, process)
    killed(process)
    proxy.holds = lambda asked: False
    proxy.asked.clear()
    [again] = lines(bare("checkpoints", *words))
    sent = proxy.parts()
    proxy.asked.clear()
    [third] = lines(bare("checkpoints", *words))

    assert sent == [3]
    assert (again["sent"], third["sent"]) == (8 * MIB, 0)
    assert again["checksum"] == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert proxy.parts() == []
    assert list((tmp_path / "cache/atelier/uploads").iterdir()) == []


def _until_two_are_there(proxy: S3Proxy, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the emulator has the first two parts, and the third is held back."""
    s3 = boto3.client("s3", endpoint_url=proxy.upstream)

    def two() -> bool:
        uploads = [
            (found["Name"], upload)
            for found in s3.list_buckets()["Buckets"]
            for upload in s3.list_multipart_uploads(Bucket=found["Name"]).get("Uploads", [])
        ]
        found = [
            [
                part["PartNumber"]
                for part in s3.list_parts(
                    Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
                ).get("Parts", [])
            ]
            for name, upload in uploads
        ]
        return [1, 2] in found and proxy.parts() == [1, 2, 3]

    until(two, process)


def test_a_file_that_changed_after_the_kill_is_sent_anew(
    bare: Atelier, bucket: str, proxy: S3Proxy, source: Path
) -> None:
    proxy.holds = lambda asked: part_of(asked) == "3"
    words = ("push", source, "--name", NAME, "--store", bucket, "--json")
    process = started(*words)
    _until_two_are_there(proxy, process)
    killed(process)
    proxy.holds = lambda asked: False
    proxy.asked.clear()
    changed = DATA[:-1] + bytes([DATA[-1] ^ 1])  # a part that was not sent yet
    source.write_bytes(changed)
    [again] = lines(bare("checkpoints", *words))

    assert again["sent"] == len(DATA)
    assert again["checksum"] == f"sha256:{hashlib.sha256(changed).hexdigest()}"
    assert any(asked.method == "DELETE" and "uploadId" in asked.path for asked in proxy.asked)


def test_a_pull_that_was_killed_fetches_the_rest(
    bare: Atelier, bucket: str, proxy: S3Proxy, source: Path, tmp_path: Path
) -> None:
    assert bare("checkpoints", "push", source, "--name", NAME, "--store", bucket).exit_code == 0
    last = f"bytes={32 * MIB}-{40 * MIB - 1}"
    proxy.holds = lambda asked: asked.range == last
    words = ("pull", NAME, "--store", bucket, "--to", tmp_path / "to", "--json")
    process = started(*words)
    target = tmp_path / "to" / NAME
    journal = target.with_name(f".{target.name}.atelier.parts")
    until(lambda: journal.exists() and journal.read_bytes().count(b"\n") == 5, process)
    killed(process)
    assert not target.exists()
    proxy.holds = lambda asked: False
    proxy.asked.clear()
    [again] = lines(bare("checkpoints", *words))

    assert proxy.ranges() == [last]
    assert (again["received"], again["checksum"]) == (
        8 * MIB,
        f"sha256:{hashlib.sha256(DATA).hexdigest()}",
    )
    assert target.read_bytes() == DATA
    assert list(target.parent.iterdir()) == [target]


def test_answers_that_break_off_are_asked_for_again(
    bare: Atelier, bucket: str, proxy: S3Proxy, source: Path, tmp_path: Path
) -> None:
    assert bare("checkpoints", "push", source, "--name", NAME, "--store", bucket).exit_code == 0
    broken: set[str] = set()

    def first_time(asked: Asked) -> bool:
        is_new = asked.range is not None and asked.range not in broken
        broken.add(asked.range or "")
        return is_new

    proxy.breaks = first_time
    done = bare("checkpoints", "pull", NAME, "--store", bucket, "--to", tmp_path / "to")

    assert done.exit_code == 0, done.output
    assert (tmp_path / "to" / NAME).read_bytes() == DATA


def test_a_server_that_always_breaks_off_is_given_up(
    bare: Atelier, bucket: str, proxy: S3Proxy, source: Path, tmp_path: Path
) -> None:
    assert bare("checkpoints", "push", source, "--name", NAME, "--store", bucket).exit_code == 0
    proxy.asked.clear()
    last = f"bytes={32 * MIB}-{40 * MIB - 1}"
    proxy.breaks = lambda asked: asked.range == last
    done = bare("checkpoints", "pull", NAME, "--store", bucket, "--to", tmp_path / "to")

    assert done.exit_code == 5
    assert "the store does not answer: S3 GetObject" in done.stderr
    assert proxy.ranges().count(last) == 3
    assert not (tmp_path / "to" / NAME).exists()
