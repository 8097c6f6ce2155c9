"""Mistakes in what `atelier aws deploy` looks for, brings to a running Ray cluster, and tells."""

from tests.mutants.mutant import Mutant

CARRIED = "tests/cli/aws/test_carrier.py"
PINS = "tests/cli/aws/looks/test_pins.py"
VOLUMES = "tests/cli/aws/looks/test_volumes.py"
QUOTAS = "tests/cli/aws/looks/test_quotas.py"
PREFLIGHT = "tests/cli/aws/test_preflight.py"

MUTANTS = (
    Mutant(
        mistake="bounds are not carried to the running Ray cluster",
        file="cli/aws/muted.py",
        old='    Muted(("maxReplicas",), _most),\n',
        new='    Muted(("maxReplicas",)),\n',
        tests=CARRIED,
    ),
    Mutant(
        mistake="deploy leaves the running Ray cluster out",
        file="cli/aws/deployment.py",
        old="        self._carry()\n",
        new="",
        tests="tests/cli/aws/test_deploy.py::test_bounds_that_could_not_be_carried_are_told_with_what_to_do",
    ),
    Mutant(
        mistake="tolerations are not carried to the running Ray cluster",
        file="cli/aws/muted.py",
        old='    Muted(("template", "spec", "tolerations"), _tolerated),\n',
        new='    Muted(("template", "spec", "tolerations")),\n',
        tests=CARRIED,
    ),
    Mutant(
        mistake="a change that KubeRay ignores is not told",
        file="cli/aws/carrier.py",
        old="        self._tell_ignored(service)\n",
        new="",
        tests=CARRIED,
    ),
    Mutant(
        mistake="patch without a test operation",
        file="cli/aws/muted.py",
        old="        return [*self.tests, self.operation]\n",
        new="        return [self.operation]\n",
        tests=CARRIED,
    ),
    Mutant(
        mistake="worker groups told apart by their numbers",
        file="cli/aws/muted.py",
        old='        yield group["groupName"], (WORKERS, str(number)), group\n',
        new="        yield str(number), (WORKERS, str(number)), group\n",
        tests=CARRIED,
    ),
    Mutant(
        mistake="replicas of the autoscaler overwritten",
        file="cli/aws/muted.py",
        old='    Muted(("replicas",)),\n',
        new='    Muted(("replicas",), _most),\n',
        tests=CARRIED,
    ),
    Mutant(
        mistake="a Ray cluster that comes up keeps former bounds",
        file="cli/aws/carrier.py",
        old="        for name in filter(None, (service.active, service.pending)):\n",
        new="        for name in filter(None, (service.active,)):\n",
        tests=CARRIED,
    ),
    Mutant(
        mistake="bounds are carried before KubeRay has looked",
        file="cli/aws/carrier.py",
        old="            if service.seen or service.given_up:\n",
        new="            if True:\n",
        tests=CARRIED,
    ),
    Mutant(
        mistake="a conflict with another writer ends the carrying",
        file="cli/aws/kubernetes.py",
        old="        case 409 | 422:",
        new="        case 409:",
        tests=CARRIED,
    ),
    Mutant(
        mistake="amounts that Go writes in another way are told as a difference",
        file="cli/aws/differences.py",
        old="            inner = {name: _amount(part) for name, part in inner.items()}\n",
        new="            pass\n",
        tests=CARRIED,
    ),
    Mutant(
        mistake="documents say that Serve takes a change that makes a new Ray cluster",
        file="docs/deploy.md",
        old="`replicas`; throttle; `tasks`, but for `tasks.drainSeconds` | Serve",
        new="`replicas`; throttle; `tasks`, `tasks.drainSeconds` | Serve",
        tests="tests/cli/aws/test_changes.py",
    ),
    Mutant(
        mistake="add-on pin not looked at",
        file="cli/aws/looks/pins.py",
        old="    if pinned is None or pinned in offered:\n",
        new="    if True:\n",
        tests=PINS,
    ),
    Mutant(
        mistake="nvidia variant of Bottlerocket not looked at",
        file="cli/aws/looks/pins.py",
        old='        variant = _NVIDIA if runtime.gpus else ""\n',
        new='        variant = ""\n',
        tests=PINS,
    ),
    Mutant(
        mistake="oldest add-on named as the newest",
        file="cli/aws/looks/pins.py",
        old="max(offered, key=_age)",
        new="max(offered)",
        tests=PINS,
    ),
    Mutant(
        mistake="pins are not part of the preflight",
        file="cli/aws/preflight.py",
        old='            "Bottlerocket": bottlerocket(aws, settings),\n',
        new="",
        tests=PREFLIGHT,
    ),
    Mutant(
        mistake="default EBS key not looked at",
        file="cli/aws/looks/volumes.py",
        old="    if customers := _customers(aws, key):\n",
        new="    if customers := None:\n",
        tests=VOLUMES,
    ),
    Mutant(
        mistake="snapshot key not looked at",
        file="cli/aws/looks/volumes.py",
        old="        if customers not in (None, named):\n",
        new="        if False:\n",
        tests=VOLUMES,
    ),
    Mutant(
        mistake="AWS's own key taken for a customer's",
        file="cli/aws/looks/volumes.py",
        old='None if found["KeyManager"] == "AWS" else ',
        new="",
        tests=VOLUMES,
    ),
    Mutant(
        mistake="keys of volumes are not part of the preflight",
        file="cli/aws/preflight.py",
        old='            "keys of volumes": default_key(aws, settings),\n',
        new="",
        tests=PREFLIGHT,
    ),
    Mutant(
        mistake="quotas count GPUs alone, where cores and memory of a pod fill a node",
        file="cli/aws/looks/quotas.py",
        old="for there, wanted in rooms if wanted)",
        new="for there, wanted in rooms[:1] if wanted)",
        tests=QUOTAS,
    ),
    Mutant(
        mistake="quotas without the nodes of an upgrade",
        file="cli/aws/looks/quotas.py",
        old="runtime.replicas if settings",
        new="0 if settings",
        tests=QUOTAS,
    ),
    Mutant(
        mistake="quotas without runtimes that have no GPU",
        file="cli/aws/looks/quotas.py",
        old="    for runtime in runtimes:\n",
        new="    for runtime in filter(lambda one: one.gpus, runtimes):\n",
        tests=QUOTAS,
    ),
)
