"""Links to objects: what leads to one, and what is refused before anybody is asked."""

import pytest

from models.s3_link import S3Link, s3_link


@pytest.mark.parametrize(
    ("link", "bucket", "key"),
    [
        ("s3://bucket/a.png", "bucket", "a.png"),
        ("s3://my.bucket-1/folder/a b.png", "my.bucket-1", "folder/a b.png"),
        ("s3://bucket/a?b#c%2e.png", "bucket", "a?b#c%2e.png"),
        ("s3://bucket//a", "bucket", "/a"),
        ("s3://bucket/..a/b..", "bucket", "..a/b.."),
        ("s3://bucket/" + "é" * 512, "bucket", "é" * 512),
    ],
)
def test_a_link_has_a_bucket_and_a_key(link: str, bucket: str, key: str) -> None:
    assert s3_link(link) == S3Link(bucket, key)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("s3://", "names no bucket"),
        ("s3:///", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3:bucket/key", "names no bucket"),
        ("S3://bucket/key", "names no bucket"),
        ("s3://user@bucket/key", "names no bucket"),
        ("s3://bucket:443/key", "names no bucket"),
        ("s3://buck\u0435t\n/key", "names no bucket"),
        ("s3://%62ucket/key", "names no bucket"),
        ("s3://bucket", "names no object"),
        ("s3://bucket/", "names no object"),
        ("s3://bucket?key", "names no bucket"),
        ("s3://bucket/a\0b", "control character"),
        ("s3://bucket/a\nb", "control character"),
        ("s3://bucket/../other/key", "'.' or '..' segment"),
        ("s3://bucket/a/./b", "'.' or '..' segment"),
        ("s3://bucket/..", "'.' or '..' segment"),
        ("s3://bucket/" + "é" * 513, "more than 1024 bytes"),
        ("s3://bucket/\ud83d", "not Unicode text"),
    ],
)
def test_what_leads_to_no_object_is_refused(link: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        s3_link(link)
