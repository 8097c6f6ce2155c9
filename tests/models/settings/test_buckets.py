"""Names of buckets that S3 would not take are refused by their keys."""

import pytest

from models.errors import SettingsError
from models.settings import Settings

ARGS = {"stackName": "a", "checkpoints": ".", "modelsRuntime": [{"name": "a", "type": "fake"}]}


@pytest.mark.parametrize(
    "name",
    [
        *("A_B", "a_b", "Upper", "ab", "a" * 64, "-ab", "ab-", ".ab", "ab.", "a..b", "a b", ""),
        *("192.168.0.1", "s3://pictures", "pictures/of-mine", "abc\n"),
    ],
)
def test_a_bucket_that_there_cannot_be_is_refused(name: str) -> None:
    for key, value in (("outputBucketName", name), ("modelBucketArn", f"arn:aws:s3:::{name}")):
        with pytest.raises(SettingsError, match=f"^{key}: "):
            Settings.read(args=ARGS | {key: value})


@pytest.mark.parametrize("name", ["abc", "a" * 63, "my.pictures", "my-pictures-1", "1a1", "a.-b"])
def test_a_bucket_that_there_can_be_is_taken(name: str) -> None:
    given = {"outputBucketName": name, "modelBucketArn": f"arn:aws-cn:s3:::{name}"}
    settings = Settings.read(args=ARGS | given)

    assert (settings.names.output_bucket, settings.model_bucket) == (name, name)
