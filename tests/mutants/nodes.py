"""Mistakes in what nodes are made of."""

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        mistake="GPU nodes without a taint",
        file="cdk/manifests/nodes.py",
        old='        "taints": taints(runtime),\n',
        new="",
        tests="tests/manifests/test_rules.py",
    ),
    Mutant(
        mistake="no CreateGrant on the key of the volumes",
        file="cdk/karpenter_policies.py",
        old='            _allow(["kms:CreateGrant"], [key], by_ec2 | for_volumes),\n',
        new="",
        tests="tests/cdk/test_volume_key.py",
    ),
    Mutant(
        mistake="grants of the volumes' key to anybody",
        file="cdk/karpenter_policies.py",
        old="by_ec2 | for_volumes",
        new="by_ec2",
        tests="tests/cdk/test_volume_key.py",
    ),
    Mutant(
        mistake="system nodes without the key of the volumes",
        file="cdk/cluster.py",
        old='            kms_key=Key.from_key_arn(self, "VolumeKey", key) if key else None,\n',
        new="",
        tests="tests/cdk/test_volume_key.py",
    ),
    Mutant(
        mistake="a volume without the key of the others",
        file="cdk/manifests/nodes.py",
        old="_CPU_VOLUME, key),",
        new="_CPU_VOLUME, None),",
        tests="tests/cdk/test_volume_key.py",
    ),
)
