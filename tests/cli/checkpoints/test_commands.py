"""`atelier checkpoints list | show | push | pull | rm | verify`, on a folder and on a bucket."""

import json
import os
import pickle
import shutil
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.atelier.served_platform import Platform
from tests.cli.checkpoints.refusing import refusing
from tests.cli.conftest import Atelier
from tests.cli.terminal import ROOT, Terminal
from tests.cli.test_tasks import lines
from tests.models.weights.files import safetensors

GOOD = safetensors()
HOSTILE = "\x1b[2Jx"


@pytest.fixture(params=["folder", "bucket"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Home in which nothing is."""
    if request.param == "bucket":
        found: str = request.getfixturevalue("bucket")
        return found
    return str(tmp_path / "home")


@pytest.fixture
def web_ui(tmp_path: Path) -> Path:
    """Folder of models as a Web UI has it."""
    root = tmp_path / "webui" / "models"
    for name in ("Stable-diffusion/sub/anime.safetensors", "Lora/a + b.safetensors", "VAE/v.pt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(GOOD)
    (root / "VAE/v.pt").write_bytes(pickle.dumps({}))
    (root / "Lora/Put Lora files here.txt").write_text("")
    (root / "karlo").mkdir()
    (root / "karlo/x.safetensors").write_bytes(GOOD)
    shutil.copytree(
        ROOT / "samples/models/Stable-diffusion/shapes", root / "Stable-diffusion/shapes"
    )
    return root


def names(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [each["name"] for each in lines(done)]


def test_a_whole_folder_goes_there_and_back(
    bare: Atelier, home: str, web_ui: Path, tmp_path: Path
) -> None:
    pushed = bare("checkpoints", "push", web_ui, "--store", home)
    listed = bare("checkpoints", "list", "--store", home, "--json")
    assert (pushed.exit_code, "left out: 2" in pushed.stderr) == (0, True)
    assert names(listed) == [
        "Lora/a + b.safetensors",
        "Stable-diffusion/shapes",
        "Stable-diffusion/sub/anime.safetensors",
        "VAE/v.pt",
    ]
    again = lines(bare("checkpoints", "push", web_ui, "--store", home, "--json"))
    assert {each["sent"] for each in again} == {0}
    got = bare("checkpoints", "pull", "anime", "shapes", "--store", home, "--to", tmp_path / "to")
    assert got.exit_code == 0, got.output
    for name in ("sub/anime.safetensors", "shapes/model_index.json", "shapes/unet/config.json"):
        path = f"Stable-diffusion/{name}"
        assert (tmp_path / "to" / path).read_bytes() == (web_ui / path).read_bytes()


def test_a_person_sees_a_table_and_only_one_kind_if_asked(
    bare: Atelier, home: str, web_ui: Path
) -> None:
    bare("checkpoints", "push", web_ui, "--store", home)
    table = bare("checkpoints", "list", "--store", home).stdout.splitlines()
    loras = names(bare("checkpoints", "list", "--store", home, "--kind", "lora", "--json"))

    assert table[0].split() == ["name", "kind", "size", "age", "files"]
    assert [line.split()[-1] for line in table if "shapes" in line] == ["12"]
    assert loras == ["Lora/a + b.safetensors"]


@pytest.mark.parametrize(
    ("path", "words", "name"),
    [
        ("x.safetensors", ["--kind", "lora"], "Lora/x.safetensors"),
        ("x.safetensors", ["--name", "Lora/y.safetensors"], "Lora/y.safetensors"),
        ("ComfyUI/models/loras/s/x.safetensors", [], "loras/s/x.safetensors"),
        ("ComfyUI/models/loras/s/x.safetensors", ["--kind", "lora"], "Lora/x.safetensors"),
        ("ComfyUI/models/vae/x.safetensors", [], "vae/x.safetensors"),
    ],
)
def test_a_file_goes_where_its_folder_or_the_person_says(
    bare: Atelier, tmp_path: Path, path: str, words: list[str], name: str
) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(GOOD)
    done = bare(
        "checkpoints", "push", tmp_path / path, "--store", tmp_path / "home", "--json", *words
    )

    assert names(done) == [name]


def test_a_folder_of_one_checkpoint_keeps_its_name(
    bare: Atelier, home: str, tmp_path: Path
) -> None:
    source = tmp_path / "shapes"
    shutil.copytree(ROOT / "samples/models/Stable-diffusion/shapes", source)
    words = ("--kind", "checkpoint", "--store", home)
    assert bare("checkpoints", "push", source, *words).exit_code == 0

    assert names(bare("checkpoints", "list", "--store", home, "--json")) == [
        "Stable-diffusion/shapes"
    ]


def test_other_bytes_need_force(bare: Atelier, home: str, tmp_path: Path) -> None:
    source = tmp_path / "x.safetensors"
    words = ("checkpoints", "push", source, "--kind", "lora", "--store", home)
    source.write_bytes(GOOD)
    bare(*words)
    source.write_bytes(safetensors({}, 0))
    refused = bare(*words)
    forced = bare(*words, "--force")
    target = tmp_path / "Lora" / "x.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"mine")
    pull = ("checkpoints", "pull", "x", "--store", home, "--to", tmp_path)

    assert (refused.exit_code, "--force replaces it" in refused.stderr) == (2, True)
    assert forced.exit_code == 0
    assert (bare(*pull).exit_code, target.read_bytes()) == (2, b"mine")
    assert (bare(*pull, "--force").exit_code, target.read_bytes()) == (0, source.read_bytes())


def test_weights_are_shown(bare: Atelier, home: str, web_ui: Path) -> None:
    bare("checkpoints", "push", web_ui, "--store", home)
    [known] = lines(bare("checkpoints", "show", "v", "--store", home, "--json"))
    told = bare("checkpoints", "show", "vae/v", "--store", home).stdout

    assert (known["name"], known["kind"]) == ("VAE/v.pt", "vae")
    [file] = known["files"]
    assert (file["form"], file["size"]) == ("pickle", len(pickle.dumps({})))
    if home.startswith("s3://"):
        assert file["checksum"].startswith("sha256:")
    for word in ("VAE/v.pt", "pickle", "version"):
        assert word in told


def test_weights_are_deleted_after_a_question(bare: Atelier, home: str, web_ui: Path) -> None:
    bare("checkpoints", "push", web_ui, "--store", home)
    unasked = bare("checkpoints", "rm", "shapes", "--store", home)
    missing = bare("checkpoints", "rm", "nothing", "--yes", "--store", home)
    done = bare("checkpoints", "rm", "shapes", "anime", "--yes", "--store", home, "--json")

    assert (unasked.exit_code, "add --yes" in unasked.stderr) == (2, True)
    assert missing.exit_code == 4
    assert names(done) == ["Stable-diffusion/shapes", "Stable-diffusion/sub/anime.safetensors"]
    assert names(bare("checkpoints", "list", "--store", home, "--json")) == [
        "Lora/a + b.safetensors",
        "VAE/v.pt",
    ]


def test_a_check_names_pickles_and_what_is_damaged(
    bare: Atelier, home: str, tmp_path: Path
) -> None:
    root = tmp_path / "models" / "Lora"
    root.mkdir(parents=True)
    files = {
        "cut.safetensors": GOOD[:-1],
        "good.safetensors": GOOD,
        "honest.pt": pickle.dumps({}),
        "posing.safetensors": pickle.dumps({}),
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    bare("checkpoints", "push", root.parent, "--store", home)
    done = bare("checkpoints", "verify", "--store", home, "--json")
    told = bare("checkpoints", "verify", "--store", home).stdout
    good = bare("checkpoints", "verify", "good", "--store", home)

    assert done.exit_code == 1
    assert [each["state"] for each in lines(done)] == ["bad", "good", "pickle", "bad"]
    assert "cut.safetensors: bad: its tensors end 1 bytes behind the file: it is cut off" in told
    assert "posing.safetensors: bad: it is a pickle" in told
    assert "honest.pt: pickle, can run code when it is loaded" in told
    assert good.exit_code == 0
    if home.startswith("s3://"):
        assert "good.safetensors: safetensors, sha256 is right" in good.stdout


def test_a_check_finds_bytes_that_are_not_those_of_the_checksum(
    bare: Atelier, bucket: str, tmp_path: Path
) -> None:
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    wrong = {"sha256": "0" * 64}
    key = f"{prefix}/Lora/x.safetensors"
    boto3.client("s3").put_object(Bucket=name, Key=key, Body=GOOD, Metadata=wrong)
    whole = bare("checkpoints", "verify", "--store", bucket)
    headers = bare("checkpoints", "verify", "--headers", "--store", bucket)
    pulled = bare("checkpoints", "pull", "x", "--store", bucket, "--to", tmp_path / "to")

    assert (whole.exit_code, "its bytes have sha256:" in whole.stdout) == (1, True)
    assert headers.exit_code == 0
    assert (pulled.exit_code, "sha256:0000" in pulled.stderr) == (1, True)
    assert list((tmp_path / "to/Lora").iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value"), [("checkpoints", "models"), ("modelBucketArn", "arn:aws:s3:::a-bucket")]
)
def test_the_home_is_that_of_the_configuration(
    bare: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/Lora").mkdir(parents=True)
    (tmp_path / "models/Lora/x.safetensors").write_bytes(GOOD)
    runtime = "{name: a, type: fake}"
    Path("config.yaml").write_text(f"stackName: a\n{key}: {value}\nmodelsRuntime: [{runtime}]\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    done = bare("checkpoints", "list", "--json")

    if key == "checkpoints":
        assert names(done) == ["Lora/x.safetensors"]
    else:
        assert (done.exit_code, "S3 ListObjectsV2" in done.stderr) == (5, True)


@pytest.fixture
def in_folder(bare: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Atelier:
    """Command in a folder with some weights."""
    monkeypatch.chdir(tmp_path)
    for name in ("Lora/x.safetensors", "VAE/x.safetensors", "loose.safetensors"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(GOOD)
    Path("empty").mkdir()
    return bare


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["list"], 2, "says no home of weights (--store does)"),
        (["list", "--store", "nowhere"], 4, "there is no such folder"),
        (["list", "--store", "s3://"], 2, "must be a folder or s3://bucket/prefix"),
        (["list", "--kind", "loras"], 2, "lora"),
        (["show", "nothing", "--store", "."], 4, "no 'nothing' in"),
        (["show", "x", "--store", "."], 2, "may be any of Lora/x.safetensors, VAE/x.safetensors"),
        (["push", "nothing", "--store", "home"], 2, "no such file or folder"),
        (["push", "loose.safetensors", "--store", "home"], 2, "say --kind (checkpoint, lora"),
        (["push", "Lora", "--name", "a", "--store", "home"], 2, "--name is of one"),
        (["push", "Lora", "VAE", "--name", "a", "--store", "home"], 2, "--name is of one path"),
        (["push", "empty", "--store", "home"], 2, "there are no weights in it"),
        (
            ["push", "loose.safetensors", "--name", "../x", "--store", "home"],
            2,
            "is no name of weights",
        ),
        (["pull", "VAE/x", "--store", ".", "--to", "loose.safetensors"], 2, "is a file"),
    ],
)
def test_what_is_wrong_is_said(
    in_folder: Atelier,
    words: list[str],
    code: int,
    told: str,
) -> None:
    done = in_folder("checkpoints", *words)

    assert (done.exit_code, told in done.stderr) == (code, True), done.stderr
    assert not Path("../x").exists()


@pytest.mark.parametrize(
    ("code", "exit_code"), [("AccessDenied", 3), ("ExpiredToken", 3), ("NoSuchBucket", 4)]
)
def test_what_aws_refuses_has_an_exit_code(
    bare: Atelier, bucket: str, code: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(code) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        done = bare("checkpoints", "list", "--store", bucket)

    assert (done.exit_code, code in done.stderr) == (exit_code, True)


def test_without_a_command_the_platform_is_asked(atelier: Atelier, platform: Platform) -> None:
    bare_words = lines(atelier("checkpoints", "--json"))
    mixed = atelier("checkpoints", "--json", "list", "--store", ".")

    assert [each["name"] for each in bare_words] == ["shapes"]
    assert (mixed.exit_code, "put options behind `list`" in mixed.stderr) == (2, True)


def test_no_name_in_a_store_moves_a_cursor(bare: Atelier, bucket: str) -> None:
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    for key in (f"{prefix}/Lora/\u202ex.safetensors", f"{prefix}/Lora/[red]y.safetensors"):
        boto3.client("s3").put_object(Bucket=name, Key=key, Body=GOOD)
    told = bare("checkpoints", "list", "--store", bucket).output

    assert "\u202e" not in told
    assert "[red]y" in told


def test_a_terminal_shows_a_bar_for_each_file(bare: Atelier, tmp_path: Path) -> None:
    root = tmp_path / "models" / "Lora"
    root.mkdir(parents=True)
    for name in ("one.safetensors", "two.safetensors"):
        (root / name).write_bytes(GOOD)
    words = ("checkpoints", "push", root.parent, "--store", tmp_path / "home")
    with Terminal("http://127.0.0.1:1", *words, columns=120) as screen:
        assert screen.end() == 0

    for word in ("Lora/one.safetensors", "Lora/two.safetensors", "━", "sent"):
        assert word in screen.shown


def test_a_question_is_asked_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "Lora").mkdir()
    (tmp_path / "Lora/x.safetensors").write_bytes(GOOD)
    words = ("checkpoints", "rm", "x", "--store", tmp_path)
    with Terminal("http://127.0.0.1:1", *words, columns=200) as screen:
        screen.until("for good?")
        os.write(screen.screen, b"n\n")
        assert screen.end() == 0

    assert (tmp_path / "Lora/x.safetensors").exists()


def test_names_are_completed(tmp_path: Path) -> None:
    for name in ("Lora/x.safetensors", "Lora/with space.safetensors", "VAE/y.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(GOOD)
    words = f"atelier checkpoints show --store {tmp_path} Lora"
    shell = {"_ATELIER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "5"}
    done = CliRunner().invoke(app, [], prog_name="atelier", env=shell)

    assert (done.stdout.split(), done.stderr) == (["Lora/x.safetensors"], "")


def test_json_is_ascii_and_a_line_for_each(bare: Atelier, tmp_path: Path) -> None:
    (tmp_path / "Lora").mkdir()
    (tmp_path / "Lora/дом.safetensors").write_bytes(GOOD)
    [line] = bare("checkpoints", "list", "--store", tmp_path, "--json").stdout.splitlines()

    assert line.isascii()
    assert json.loads(line)["name"] == "Lora/дом.safetensors"
