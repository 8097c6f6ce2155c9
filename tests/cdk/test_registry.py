import json

from tests.cdk.conftest import Synthesized


def test_each_image_has_a_repository_that_looks_it_through(whole: Synthesized) -> None:
    repositories = [each["Properties"] for each in whole.resources("AWS::ECR::Repository").values()]

    assert {each["RepositoryName"] for each in repositories} == {
        "studio/atelier-head",
        "studio/atelier-diffusers",
        "studio/atelier-comfyui",
    }
    for each in repositories:
        assert each["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert each["ImageTagMutability"] == "IMMUTABLE"


def test_a_repository_keeps_so_many_images_and_stays_when_the_stack_goes(
    whole: Synthesized,
) -> None:
    repositories = whole.resources("AWS::ECR::Repository").values()

    assert repositories
    for each in repositories:
        policy = each["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]
        (rule,) = json.loads(policy)["rules"]
        assert (rule["selection"]["countType"], rule["selection"]["countNumber"]) == (
            "imageCountMoreThan",
            10,
        )
        assert each["DeletionPolicy"] == each["UpdateReplacePolicy"] == "Retain"


def test_images_that_are_elsewhere_need_no_repository(china: Synthesized) -> None:
    assert not china.resources("AWS::ECR::Repository")
