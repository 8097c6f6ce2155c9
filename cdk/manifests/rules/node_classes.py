"""Rules on EC2NodeClasses: the volumes, the disks, the system and the metadata of nodes."""

import tomllib
from collections.abc import Iterator

from cdk.manifests.nodes import DATA_DEVICE, SYSTEM_DEVICE
from cdk.manifests.rules.requirements import known_instances
from cdk.manifests.rules.rule import Objects, Rule


def _images_cached_in_one_way(objects: Objects) -> Iterator[str]:
    for name, spec, volume in objects.volumes:
        if "instanceStorePolicy" in spec and "snapshotID" in volume["ebs"]:
            yield f"{name}: RAID0 would hide the images of the snapshot"


def _volumes_said(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        devices = [one["deviceName"] for one in found["spec"].get("blockDeviceMappings", [])]
        if devices != [SYSTEM_DEVICE, DATA_DEVICE]:
            yield f"{name}: without /dev/xvda and /dev/xvdb its images get 20 GiB, unencrypted"


def _volumes_encrypted_alike(objects: Objects) -> Iterator[str]:
    """Find unencrypted volumes, and a second key: Karpenter's policy allows the use of one.

    EC2 launches an instance first and encrypts then: with a key that it may not use, the instance
    ends at once, and Karpenter tries again.
    """
    keys = set()
    for name, _, volume in objects.volumes:
        keys.add(volume["ebs"].get("kmsKeyID"))
        if volume["ebs"].get("encrypted") is not True:
            yield f"{name}: {volume['deviceName']} is not encrypted"
    if len(keys) > 1:
        yield f"volumes have {len(keys)} keys, and Karpenter may use that of cluster.volumeKeyArn"


def _nvme_for_images(objects: Objects) -> Iterator[str]:
    for name, pool in objects.named("NodePool").items():
        found = objects.named("EC2NodeClass").get(name)
        if found is None or "instanceStorePolicy" not in found["spec"]:
            continue
        for instance_type, instance in known_instances(pool["spec"]).items():
            if not instance.nvme:
                yield (
                    f"{name}: {instance_type} has no NVMe disk for its images"
                    " (nodes.imageCache: none)"
                )


def _user_data_is_toml(objects: Objects) -> Iterator[str]:
    """Find user data that Bottlerocket could not parse: such a node boots and never joins."""
    for name, found in objects.named("EC2NodeClass").items():
        try:
            tomllib.loads(found["spec"].get("userData", ""))
        except tomllib.TOMLDecodeError as exc:
            yield f"{name}: {exc} (nodes.userData, behind our own)"


def _system_pinned(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        for term in found["spec"]["amiSelectorTerms"]:
            if term.get("alias", "").endswith("@latest"):
                yield f"{name}: with @latest each release replaces all nodes"


def _metadata_guarded(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        options = found["spec"].get("metadataOptions", {})
        if options.get("httpTokens") != "required" or options.get("httpPutResponseHopLimit") != 1:
            yield f"{name}: a pod could take the node's credentials (IMDSv2, one hop)"


RULES = (
    Rule("images-cached-in-one-way", _images_cached_in_one_way),
    Rule("volumes-said", _volumes_said),
    Rule("volumes-encrypted-alike", _volumes_encrypted_alike),
    Rule("nvme-for-images", _nvme_for_images),
    Rule("user-data-is-toml", _user_data_is_toml),
    Rule("system-pinned", _system_pinned),
    Rule("metadata-guarded", _metadata_guarded),
)
