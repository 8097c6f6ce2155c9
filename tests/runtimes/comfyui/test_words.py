"""Words of ComfyUI's are told short, without paths of the server and without pictures."""

import pytest

from deployments.runtimes.comfyui.words import brief


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("No such file: '/srv/ComfyUI/input/s1/1.png'", "No such file: '…/1.png'"),
        ("/srv/a b", "…/a b"),
        ("error:/usr/lib/x.so: cannot open", "error:…/x.so: cannot open"),
        ("(/tmp/atelier-1/input/x.png, /tmp/y/)", "(…/x.png, …/y)"),
        (r"cannot read C:\ComfyUI\input\x.png", r"cannot read …\x.png"),
        ("width and/or height 1/2 of 8x8/16x16", "width and/or height 1/2 of 8x8/16x16"),
        (
            "see https://example.com/a/b and s3://bucket/a/b",
            "see https://example.com/a/b and s3://bucket/a/b",
        ),
        ("/imagine a cat", "/imagine a cat"),
        ("image: " + "iVBOR/w0+" * 20_000, "image: [180000 characters]"),
        (
            "mat1 and mat2 shapes cannot be multiplied (77x2048 and 768x320)\n",
            "mat1 and mat2 shapes cannot be multiplied (77x2048 and 768x320)",
        ),
        ("a " * 5_000, "a " * 500 + "…"),
        (None, "None"),
    ],
)
def test_what_is_told(said: object, told: str) -> None:
    assert brief(said) == told
