"""Pictures come out of the store by links, without the key, and stay in their folder."""

import re
import tracemalloc
from pathlib import Path

import pytest

from atelier import (
    ArtifactView,
    AsyncClient,
    Client,
    Misaddressed,
    NotFound,
    TaskView,
    TooLarge,
    Unreachable,
    picture,
)
from atelier.files import Saving, stem_of
from tests.atelier.served_platform import KEY, Fault, Platform, png


@pytest.fixture
def made(client: Client) -> str:
    """Id of a task that has made two pictures."""
    sent = client.submit(kind="text-to-image", content={"batch_size": 2}, id="robot", prefix="toys")
    return client.wait(sent, timeout=20).id


def test_artifacts_are_downloaded_by_their_place(client: Client, made: str) -> None:
    assert client.download(made) == png()
    assert client.download(made, 2) == png()
    assert client.download(made, 0) == b'{"images": []}'
    with pytest.raises(NotFound, match="2 artifacts"):
        client.download(made, 3)


def test_artifacts_are_saved_under_the_names_of_their_objects(
    client: Client, made: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    paths = client.save(made, folder)

    names = [Path(artifact.uri).name for artifact in client.get(made).artifacts]
    assert [path.relative_to(folder) for path in paths] == [Path(name) for name in names]
    assert [path.read_bytes() for path in paths] == [png(), png()]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_the_store_is_not_shown_the_key(platform: Platform, client: Client, made: str) -> None:
    client.download(made)

    [asked] = platform.store.requests
    assert asked.url.query == "signature=secret"
    assert "x-api-key" not in asked.headers
    assert KEY not in str(asked.headers)


def test_what_the_store_has_lost_is_not_found(
    platform: Platform, client: Client, made: str
) -> None:
    platform.store.bodies.clear()

    with pytest.raises(NotFound, match="the artifact is not there any more") as lost:
        client.download(made)

    assert "secret" not in str(lost.value)


def test_a_busy_store_is_asked_again(platform: Platform, client: Client, made: str) -> None:
    platform.store.busy = 1

    assert client.download(made) == png()
    assert len(platform.store.requests) == 2


def task(name: str, submission: str = "s") -> TaskView:
    known = {"runtime": "r", "kind": "k", "status": "completed", "attempt": 1, "created": 0}
    links = {"updated": 0, "status_url": "", "events_url": ""}
    return TaskView.model_validate({"id": name, "submission": submission, **known, **links})


def artifact(n: int = 1) -> ArtifactView:
    return ArtifactView(n=n, uri="s3://b/a.png", url="")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("robot", "robot-"),
        ("../../.bashrc", "_bashrc-"),
        ("..", "_-"),
        ("", "task-"),
        ("-rf", "rf-"),
        ("C:\\con", "C_con-"),
        ("con", "con-"),
        ("a\x00\n\x1b[31mb", "a_31mb-"),
        ("日本", "_-"),
        ("a" * 200, "a" * 80 + "-"),
    ],
)
def test_a_file_is_called_by_us(name: str, start: str) -> None:
    stem = stem_of(task(name), artifact())

    assert stem.startswith(start)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*-[0-9a-f]{16}-1", stem)


def test_each_submission_and_number_has_a_name_of_its_own() -> None:
    named = [
        stem_of(task("a", "s"), artifact()),
        stem_of(task("a", "t"), artifact()),
        stem_of(task("a", "\ud83d"), artifact()),
        stem_of(task("a", "s"), artifact(2)),
        stem_of(task("a", "s"), artifact(10**30)),
        stem_of(task("a", "s"), artifact(-5)),
    ]

    assert len(set(named)) == 6


@pytest.mark.parametrize(
    ("body", "uri", "extension"),
    [
        (png(), "s3://b/a.sh", ".png"),
        (b"#!/bin/sh\nrm -rf /", "s3://b/a.sh", ".bin"),
        (b"\x7fELF" + bytes(300), "s3://b/a.png", ".bin"),
        (b"MZ" + bytes(300), "s3://b/a.json", ".bin"),
        (b"{}", "s3://b/a.JSON", ".json"),
        (b"glTF\x02", "s3://b/a.glb", ".glb"),
        (b"x", "s3://b/.bashrc", ".bin"),
        (b"", "", ".bin"),
    ],
)
def test_an_extension_is_of_the_bytes_or_of_a_list(
    tmp_path: Path, body: bytes, uri: str, extension: str
) -> None:
    with Saving(tmp_path) as saving:
        saving.write(body)

        assert saving.keep("a", uri) == tmp_path / f"a{extension}"


def test_another_file_stays_as_it_is(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"other")
    (folder / "a (2).bin").symlink_to(outside)
    (folder / "a (3).bin").symlink_to(tmp_path / "nowhere")
    (folder / "a (4).bin").mkdir()
    with Saving(folder) as saving:
        saving.write(b"precious")
        kept = saving.keep("a", "")

    assert kept == folder / "a (5).bin"
    assert [(folder / "a.bin").read_bytes(), outside.read_bytes()] == [b"other", b"precious"]
    assert not (tmp_path / "nowhere").exists()
    assert len(list(folder.iterdir())) == 5


def test_the_same_bytes_are_not_kept_twice(tmp_path: Path) -> None:
    for _ in range(2):
        with Saving(tmp_path) as saving:
            saving.write(b"new")
            saving.keep("a", "")

    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_file_system_without_links_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    for body in (b"one", b"two"):
        with Saving(tmp_path) as saving:
            saving.write(body)
            saving.keep("a", "")

    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept == {"a.bin": b"one", "a (2).bin": b"two"}


def test_what_is_not_whole_leaves_nothing(tmp_path: Path) -> None:
    with Saving(tmp_path) as saving:
        saving.write(b"half")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "link",
    ["file:///etc/passwd", "ftp://h/a", "", "http://u:secret@h/a", "mailto:a@b", "data:,x"],
)
def test_a_link_to_what_is_no_web_address_is_not_followed(
    platform: Platform, client: Client, made: str, tmp_path: Path, link: str
) -> None:
    away = Fault(".*/artifacts/.*", status=307, headers={"location": link})
    platform.proxy.faults.append(away)

    with pytest.raises(Misaddressed, match="leads to no web address") as refused:
        client.save(made, tmp_path)

    assert "secret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert platform.store.requests == []


def test_an_artifact_may_be_too_large(
    platform: Platform, client: Client, made: str, tmp_path: Path
) -> None:
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        client.save(made, tmp_path, most=10)
    with pytest.raises(TooLarge):
        client.download(made, most=10)
    platform.store.sized = False
    with pytest.raises(TooLarge):
        client.save(made, tmp_path, most=10)

    assert list(tmp_path.iterdir()) == []
    assert len(client.save(made, tmp_path, most=len(png()))) == 2


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, gzip", "br", "nonsense"])
def test_a_packed_artifact_is_refused_before_a_byte_of_it_is_unpacked(
    platform: Platform, client: Client, made: str, tmp_path: Path, coding: str
) -> None:
    platform.store.coding = coding

    for took in (lambda: client.save(made, tmp_path), lambda: client.download(made)):
        with pytest.raises(Misaddressed, match=r"content-encoding: .* unasked") as refused:
            took()
        assert "secret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert {each.headers["accept-encoding"] for each in platform.store.requests} == {"identity"}


@pytest.mark.parametrize("coding", ["identity", "aws-chunked"])
def test_a_coding_that_changes_nothing_is_none(
    platform: Platform, client: Client, made: str, coding: str
) -> None:
    platform.store.coding = coding

    assert client.download(made) == png()


def test_packed_events_are_refused(platform: Platform, client: Client, made: str) -> None:
    head = {"content-encoding": "gzip", "content-type": "text/event-stream"}
    platform.proxy.faults.append(Fault(".*/events", status=200, headers=head))

    with pytest.raises(Misaddressed, match="unasked"):
        list(client.events(made))


async def test_one_that_breaks_off_is_begun_again(
    platform: Platform, hasty: AsyncClient, tmp_path: Path
) -> None:
    sent = await hasty.submit(kind="text-to-image", content={})
    await hasty.wait(sent, timeout=20)
    platform.store.cut = 2
    told: list[tuple[int, int, int | None]] = []
    [path] = await hasty.save(sent, tmp_path, progress=lambda *each: told.append(each))

    whole = len(png())
    assert path.read_bytes() == png()
    assert [each for each in told if each[1] == 0] == [(1, 0, whole)] * 3
    assert told[-1] == (1, whole, whole)
    platform.store.cut = 100
    with pytest.raises(Unreachable):
        await hasty.save(sent, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_large_artifact_is_streamed(platform: Platform, client: Client, tmp_path: Path) -> None:
    sent = client.submit(kind="text-to-image", content={})
    client.wait(sent, timeout=20)
    platform.store.zeros = 96 << 20
    tracemalloc.start()
    try:
        [path] = client.save(sent, tmp_path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert path.stat().st_size == 96 << 20
    assert most < 24 << 20


@pytest.mark.parametrize(
    "link", ["https://example.org/a.png", "S3://bucket/a.png", "data:image/png;base64,AAAA"]
)
def test_a_link_is_a_picture_as_it_is(link: str) -> None:
    assert picture(link) == link
