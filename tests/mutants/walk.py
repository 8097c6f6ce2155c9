"""Settings that lose their effect, or are not told to have none."""

from tests.mutants.mutant import Mutant

_WALK = "tests/cdk/test_settings_walk.py"


def _of(setting: str) -> str:
    return f"{_WALK}::test_a_setting_has_an_effect_or_is_told_to_have_none[{setting}]"


def _of_chart(value: str) -> str:
    return f"{_WALK}::test_a_chart_value_{value}"


MUTANTS = (
    Mutant(
        mistake="nodes.expireAfter is accepted and reaches no NodePool",
        file="cdk/manifests/nodes.py",
        old='        "expireAfter": nodes.expire_after,\n',
        new='        "expireAfter": "168h",\n',
        tests=_of("modelsRuntime[].nodes.expireAfter"),
    ),
    Mutant(
        mistake="rayCluster.headCpu is accepted and the head asks for what it always did",
        file="cdk/manifests/pods.py",
        old="_resources(size.head_cpu, ",
        new="_resources(0.5, ",
        tests=_of("rayCluster.headCpu"),
    ),
    Mutant(
        mistake="edge.concurrency is accepted and bounds no function",
        file="cdk/edge.py",
        old="            reserved_concurrent_executions=edge.concurrency,\n",
        new="",
        tests=_of("edge.concurrency"),
    ),
    Mutant(
        mistake="alarms.interruptions is accepted and the alarm has a threshold of its own",
        file="cdk/monitoring.py",
        old="            above=most - 1,\n",
        new="            above=4,\n",
        tests=_of("alarms.interruptions"),
    ),
    Mutant(
        mistake="tasks.maxAttempts is not told to the application",
        file="cdk/manifests/serve_config.py",
        old='    args["aws"] = settings.aws.model_dump(by_alias=True)\n',
        new='    args["aws"] = settings.aws.model_dump(by_alias=True)\n'
        '    args.get("tasks", {}).pop("maxAttempts", None)\n',
        tests=_of("tasks.maxAttempts"),
    ),
    Mutant(
        mistake="sns.trustOwnerAttribute is told to the application, which does not read it",
        file="serve_app/assembly/workers.py",
        old="        trusts_owner=settings.sns.trust_owner_attribute,\n",
        new="        trusts_owner=False,\n",
        tests=_of("sns.trustOwnerAttribute"),
    ),
    Mutant(
        mistake="apiKeys[].expires ends no key at the gateway",
        file="models/settings/edge.py",
        old="for key in settings.api_keys if key.expires}",
        new="for key in settings.api_keys if not key}",
        tests=f"{_WALK}::test_the_page_says_what_each_setting_changes",
    ),
    Mutant(
        mistake="extraValues: the chart's cooldownPeriod is taken and means nothing",
        file="models/settings/reference_table.py",
        old='    f"{SCALING}.cooldownPeriod": _scaling("cooldownSeconds"),\n',
        new='    f"{SCALING}.cooldownPeriod": lambda _: {},\n',
        tests=_of_chart("has_an_effect[runtime.scaling.cooldownPeriod]"),
    ),
    Mutant(
        mistake="extraValues: persistence.size has no effect, and nobody is told",
        file="models/settings/reference_values.py",
        old="path in MEANS_NOTHING and (_asks(",
        new='path in MEANS_NOTHING - {"runtime.persistence.size"} and (_asks(',
        tests=_of_chart("without_an_effect_is_told_by_its_name[runtime.persistence.size]"),
    ),
    Mutant(
        mistake="extraValues: an image by its parts, as the reference's guide has it, is refused",
        file="models/settings/reference_table.py",
        old='    if isinstance(given, Mapping):\n        if set(given) - {"repository"',
        new='    if given is None:\n        if set(given) - {"repository"',
        tests="tests/models/settings/test_reference_values.py",
    ),
    Mutant(
        mistake="extraValues: a data volume with a snapshot alone is refused for its size",
        file="models/settings/reference_table.py",
        old='        if given.get("size"):\n',
        new="        if given:\n",
        tests="tests/models/settings/test_reference_values.py",
    ),
    Mutant(
        mistake="extraValues: a value that its setting refuses is named by the setting alone",
        file="models/settings/reference_values.py",
        old="    if complaints:\n",
        new="    if not path:\n",
        tests="tests/models/settings/test_reference_values.py",
    ),
    Mutant(
        mistake="extraValues: scaling that is switched off scales",
        file="models/settings/reference_values.py",
        old="    if leaves.get(SWITCH) is not False:\n        return {path: _trans",
        new="    if leaves is not None:\n        return {path: _trans",
        tests="tests/models/settings/test_reference_values.py",
    ),
    Mutant(
        mistake="extraValues: the chart's bounds stand beside a runtime's own replicas",
        file="models/settings/reference_values.py",
        old="if set_ & _RIVALS.get(path, set())}",
        new="if not path}",
        tests="tests/models/settings/test_reference_values.py",
    ),
    Mutant(
        mistake="of two bounds of replicas the higher counts",
        file="models/capacity.py",
        old="min(set_ or allowed, allowed)",
        new="max(set_ or allowed, allowed)",
        tests="tests/models/settings/test_scaling.py",
    ),
    Mutant(
        mistake="a bound that nodes.maxGpus makes ineffective is not told",
        file="models/settings/unused_scaling.py",
        old="    if allowed < most and runtime.replicas is None:",
        new="    if not most and runtime.replicas is None:",
        tests="tests/models/settings/test_unused_scaling.py",
    ),
    Mutant(
        mistake="extraValues: what is told to win over a value is not what won",
        file="models/settings/reference_values.py",
        old='if setting in _paths(translation, "") and setting not in overridden[path]:',
        new="if setting in overridden[path]:",
        tests="tests/models/settings/test_unused.py",
    ),
    Mutant(
        mistake="APIGW.stageName has no effect on a laptop, and nobody is told",
        file="models/settings/unused.py",
        old='["APIGW.stageName"] if ',
        new='["APIGW.stageName"] if not ',
        tests="tests/models/settings/test_unused.py",
    ),
    Mutant(
        mistake="modelsRuntime[].chartVersion has no effect, and nobody is told",
        file="models/settings/unused.py",
        old="    if runtime.chart_version:\n",
        new="    if runtime.chart_version is True:\n",
        tests=_of("modelsRuntime[].chartVersion"),
    ),
    Mutant(
        mistake="vpc.publicSubnets have no effect, and nobody is told",
        file="models/settings/unused.py",
        old="    if vpc.public_subnets:\n",
        new="    if vpc.public_subnets is None:\n",
        tests=_of("vpc.publicSubnets"),
    ),
)
