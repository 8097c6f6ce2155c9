"""Dockerfiles are read as BuildKit reads them; the cases are its own tests' and documents'."""

import pytest

from tests.docker.dockerfile import Build, expanded, image

ARM = Build("linux/arm64", "linux/amd64")


def test_the_global_scope_has_the_platform_without_an_arg() -> None:
    """BuildKit's `testPlatformArgsImplicit`."""
    text = "FROM one AS build-linux\nFROM two AS build-windows\nFROM build-${TARGETOS}\n"

    assert image(text, ARM).base == "one"


def test_an_arg_without_a_default_leaves_the_platform_as_it_is() -> None:
    assert image("ARG TARGETARCH\nFROM of-$TARGETARCH\n", ARM).base == "of-arm64"


def test_a_default_takes_the_place_of_the_platform_in_every_scope() -> None:
    assert image("ARG TARGETARCH=amd64\nFROM of-$TARGETARCH\n", ARM).base == "of-amd64"
    assert image("FROM one\nARG TARGETARCH=amd64\nUSER $TARGETARCH\n", ARM).user == "amd64"


@pytest.mark.parametrize("default", ["", "=default"])
def test_an_argument_of_the_build_wins_over_all(default: str) -> None:
    """BuildKit's `testGlobalArg`, and `testPlatformArgsExplicit` of a platform's."""
    given = Build("linux/arm64", arguments={"TARGETARCH": "given"})

    assert image(f"ARG TARGETARCH{default}\nFROM $TARGETARCH\n", given).base == "given"
    assert image(f"FROM one\nARG TARGETARCH{default}\nUSER $TARGETARCH", given).user == "given"


def test_a_stage_sees_what_it_asks_for_and_nothing_else() -> None:
    """BuildKit's `testMultiArgs` and `testQuotedMetaArgs`."""
    outer = 'ARG a1="foo bar" a2=box\nARG a3="$a2-foo"\n'
    stage = 'FROM busy$a2 AS build\nARG a3 a4="123 456" a1\nUSER $a1:$a3:$a4:$a2\n'

    found = image(f"{outer}{stage}", ARM)

    assert (found.base, found.user) == ("busybox", "foo bar:box-foo:123 456:")


def test_a_stage_on_another_has_what_that_one_had() -> None:
    text = "FROM one AS first\nARG WHO=me\nENV HOME=/there\nWORKDIR $HOME\nFROM first\nUSER $WHO\n"
    found = image(text, ARM)

    assert (found.base, found.user, found.folder) == ("one", "me", "/there")


def test_a_stage_may_be_for_the_platform_that_builds() -> None:
    assert image("FROM --platform=$BUILDPLATFORM one\n", ARM).platform == "linux/amd64"
    assert image("FROM one\n", ARM).platform == "linux/arm64"


def test_keywords_and_names_of_stages_may_be_in_any_case() -> None:
    text = "from one\tas Base\nuser me\nFrom BASE aS last\n"

    assert (image(text, ARM).base, image(text, ARM).user) == ("one", "me")


def test_a_number_is_no_stage() -> None:
    """COPY and RUN alone know stages by their numbers."""
    assert image("FROM one\nFROM 0\n", ARM).base == "0"


def test_a_relative_folder_is_within_the_one_before() -> None:
    assert image("FROM one\nWORKDIR /a\nWORKDIR b/../c\n", ARM).folder == "/a/c"
    assert image("FROM one\nWORKDIR /a/b\nWORKDIR /c\n", ARM).folder == "/c"


def test_continued_lines_and_comments_among_them_are_one_instruction() -> None:
    assert image("FROM one\nUSER \\\n  # who\n  me\n", ARM).user == "me"
    assert image("FROM one\nUSER m\\ \t\n\ne\n", ARM).user == "me"


@pytest.mark.parametrize(
    "text",
    [
        "FROM one\nRUN <<EOF\nFROM two\nEOF\n",
        "FROM one\nCOPY <<-'EOF' /there\nUSER me\nEOF\n",
        "# escape=`\nFROM one\n",
        "FROM one\nENV A b\n",
        "FROM one\nENV A=b c\n",
        "FROM one\nENV A=\\$B\n",
        "FROM one\nENV A='$B'\n",
        'FROM one\nUSER "me"\n',
        "FROM one\nWORKDIR '/a'\n",
        "FROM one AS 1st\n",
        "FROM one AS\n",
        "FROM one two three\n",
        "FROM --pull=always one\n",
        "FROM --platform=linux/arm64/v8 one\n",
    ],
)
def test_what_would_be_misread_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        image(text, ARM)


def test_a_platform_that_buildkit_would_write_in_another_way_is_refused() -> None:
    for platform in ("linux/arm64/v8", "linux/arm", "linux/x86_64"):
        with pytest.raises(ValueError, match=platform):
            image("FROM one\n", Build(platform))


def test_a_base_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="without a name"):
        image("ARG IMAGE\nFROM ${IMAGE}\n", ARM)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("he${hi}xx", "hexx"),
        ("he$PWD.", "he/home."),
        ("he${XXX:-000}xx", "he000xx"),
        ("he${PWD:-000}xx", "he/homexx"),
        ("he${NULL:-000}xx", "he000xx"),
        ("he${NULL-000}xx", "hexx"),
        ("he${XXX-000}xx", "he000xx"),
        ("he${XXX:+000}xx", "hexx"),
        ("he${PWD:+000}xx", "he000xx"),
        ("he${NULL+000}xx", "he000xx"),
    ],
)
def test_variables_are_put_in_their_places(text: str, value: str) -> None:
    """BuildKit's `shell/envVarTest`."""
    assert expanded(text, {"PWD": "/home", "NULL": ""}) == value


@pytest.mark.parametrize("text", ["${XXX:?no}", "${PWD%/*}", "${}", "$(id)", "${XXX:-${PWD}}"])
def test_an_expression_that_is_not_known_here_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$"):
        expanded(text, {})
