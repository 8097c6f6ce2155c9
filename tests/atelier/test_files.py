"""Pictures come out of the store by links, without the key, and stay in their folder."""

from pathlib import Path

import pytest

from atelier import Client, Misused, NotFound, picture
from atelier.files import place, write
from tests.atelier.there import KEY, There, png


@pytest.fixture
def made(client: Client) -> str:
    """A task that has made two pictures."""
    sent = client.submit(kind="text-to-image", content={"batch_size": 2}, id="robot", prefix="toys")
    return client.wait(sent, timeout=20).id


def test_artifacts_are_downloaded_by_their_place(client: Client, made: str) -> None:
    assert client.download(made) == png()
    assert client.download(made, 2) == png()
    assert client.download(made, 0) == b'{"images": []}'
    with pytest.raises(NotFound, match="2 artifacts"):
        client.download(made, 3)


def test_artifacts_are_saved_under_their_own_names(
    client: Client, made: str, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    paths = client.save(made, folder)

    names = [Path(artifact.uri).name for artifact in client.get(made).artifacts]
    assert [path.relative_to(folder) for path in paths] == [Path(name) for name in names]
    assert [path.read_bytes() for path in paths] == [png(), png()]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_the_store_is_not_shown_the_key(there: There, client: Client, made: str) -> None:
    client.download(made)

    [asked] = there.store.asked
    assert asked.url.query == "signature=secret"
    assert "x-api-key" not in asked.headers
    assert KEY not in str(asked.headers)


def test_what_the_store_has_lost_is_not_found(there: There, client: Client, made: str) -> None:
    there.store.bodies.clear()

    with pytest.raises(NotFound, match="the artifact is not there any more") as lost:
        client.download(made)

    assert "secret" not in str(lost.value)


def test_a_busy_store_is_asked_again(there: There, client: Client, made: str) -> None:
    there.store.busy = 1

    assert client.download(made) == png()
    assert len(there.store.asked) == 2


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://outputs/toys/robot/robot-1a2b-1.png", "robot-1a2b-1.png"),
        ("s3://outputs/a\\..\\..\\b.png", "b.png"),
        ("s3://outputs/C:evil.png", "C_evil.png"),
        ("s3://outputs/a\x00\nb\x1b[31m.png", "a__b_[31m.png"),
        ("s3://outputs/..a.png", "..a.png"),
    ],
)
def test_a_file_stays_in_its_folder(tmp_path: Path, uri: str, name: str) -> None:
    assert place(tmp_path, uri) == tmp_path / name


@pytest.mark.parametrize("uri", ["s3://outputs/..", "s3://outputs/.", "s3://outputs/", "", "a/ . "])
def test_a_uri_without_a_name_is_not_saved(tmp_path: Path, uri: str) -> None:
    with pytest.raises(Misused, match="does not name a file"):
        place(tmp_path, uri)


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    link = tmp_path / "pictures" / "a.png"
    link.parent.mkdir()
    link.symlink_to(outside)
    write(link, b"new")

    assert (outside.read_bytes(), link.read_bytes()) == (b"precious", b"new")
    assert not link.is_symlink()


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        write(tmp_path / "a.png", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "link", ["https://example.org/a.png", "S3://bucket/a.png", "data:image/png;base64,AAAA"]
)
def test_a_link_is_a_picture_as_it_is(link: str) -> None:
    assert picture(link) == link
