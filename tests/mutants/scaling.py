"""Mistakes of the scaling policy, and of the simulation that it is judged by."""

from tests.mutants.mutant import Mutant

_TABLE = "tests/deployments/scaling/test_situations.py"
_IN_TIME = "tests/deployments/scaling/test_in_time.py"
_HOURS = "tests/deployments/scaling/test_hours.py"
_PROPERTIES = "tests/deployments/scaling/test_properties.py"
_SIMULATION = "tests/bench/test_simulation.py"


MUTANTS = (
    Mutant(
        mistake="the last replica goes as soon as there is nothing to do",
        file="deployments/scaling/policy.py",
        old="self._idled(memory) >= self._cooldown",
        new="self._idled(memory) >= 0",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="replicas that run tasks go at once",
        file="deployments/scaling/policy.py",
        old="since is not None and self.now - since < self._cooldown",
        new="since is not None and self.now - since < 0",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="the cooldown goes on while nothing is measured",
        file="deployments/scaling/memory.py",
        old="return replace(self.asked(target, rules, now), active=now, surplus=None)",
        new="return replace(self.asked(target, rules, now), surplus=None)",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a controller that starts again has seen nothing asked for",
        file="deployments/scaling/policy.py",
        old="if demand is None or memory.measured is None:",
        new="if demand is None:",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a replica starts for less work than its start takes",
        file="deployments/scaling/rules.py",
        old="_WORTH = 2\n",
        new="_WORTH = 1.01\n",
        tests=_TABLE,
    ),
    Mutant(
        mistake="a replica that starts is reckoned with a whole start to come",
        file="deployments/scaling/policy.py",
        old="coming=[self.start - (self.now - began) for began in memory.starts],",
        new="coming=[self.start for began in memory.starts],",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a line that grows is waited with until it is too long",
        file="deployments/scaling/rules.py",
        old="waiting + max(self.present.growth, 0.0) * self.start",
        new="waiting",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="what a drained backlog needed is taken for what comes",
        file="deployments/scaling/policy.py",
        old="load=max(memory.busy + growth * seconds_of_task(demand), 0.0),",
        new="load=memory.busy,",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a percentage keeps the first replica from coming",
        file="deployments/scaling/policy.py",
        old="current = max(self.supply.target, 1)",
        new="current = self.supply.target",
        tests=_TABLE,
    ),
    Mutant(
        mistake="the policy of scaleUp that lets fewest come counts where the most shall",
        file="deployments/scaling/rates.py",
        old='select = min if rate.select_policy == "Min" else max',
        new='select = max if rate.select_policy == "Min" else min',
        tests=_TABLE,
    ),
    Mutant(
        mistake="the policy of scaleDown that lets most go counts where the fewest shall",
        file="deployments/scaling/rates.py",
        old='select = max if rate.select_policy == "Min" else min',
        new='select = min if rate.select_policy == "Min" else max',
        tests=_TABLE,
    ),
    Mutant(
        mistake="a percentage lets fewer go than it says",
        file="deployments/scaling/rates.py",
        old="math.floor(start * (1 - Fraction(policy.value, 100)))",
        new="math.ceil(start * (1 - Fraction(policy.value, 100)))",
        tests=_TABLE,
    ),
    Mutant(
        mistake="replicas that steady work needs have no time to spare",
        file="deployments/scaling/policy.py",
        old="math.ceil(present.load / _BUSY_SHARE)",
        new="math.ceil(present.load)",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a surplus that has ended counts for the next one's cooldown",
        file="deployments/scaling/policy.py",
        old="calm = replace(memory, surplus=None)",
        new="calm = memory",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="all changes of replicas are remembered for ever",
        file="deployments/scaling/rates.py",
        old="kept = tuple(_within(changes, max(periods, default=0), latest.at))",
        new="kept = changes",
        tests=_IN_TIME,
    ),
    Mutant(
        mistake="a start at the end of a schedule's hours goes on with them",
        file="deployments/scaling/bounds.py",
        old="_last(window.start, minute, zone) > _last(",
        new="_last(window.start, minute, zone) >= _last(",
        tests=_HOURS,
    ),
    Mutant(
        mistake="hours that began in an hour which comes twice begin once more in it",
        file="deployments/scaling/bounds.py",
        old="_SET_BACK = timedelta(hours=3)",
        new="_SET_BACK = timedelta(minutes=1)",
        tests=_HOURS,
    ),
    Mutant(
        mistake="a measurement that no float holds makes the policy raise",
        file="deployments/scaling/rules.py",
        old="    return min(max(tasks, 0), _MOST_TASKS)",
        new="    return max(tasks, 0)",
        tests=_PROPERTIES,
    ),
    Mutant(
        mistake="a simulated task that was cut off is forgotten",
        file="bench/simulation/run.py",
        old="self._at(self._now + self._policy.redelivery_seconds, partial(self._come, run.task))",
        new="self._policy.redelivery_seconds",
        tests=_SIMULATION,
    ),
    Mutant(
        mistake="a simulated node that was interrupted is not paid for",
        file="bench/simulation/run.py",
        old="        self.ledger.paid(node, self._now)",
        new="        if not node.interrupted:\n            self.ledger.paid(node, self._now)",
        tests=_SIMULATION,
    ),
    Mutant(
        mistake="a simulated replica that leaves outlives its interrupted node",
        file="bench/simulation/run.py",
        old="        elif run := node.replica.run:",
        new="        elif False and (run := node.replica.run):",
        tests=f"{_SIMULATION}::test_a_run_of_a_replica_that_leaves_is_cut_with_its_node",
    ),
    Mutant(
        mistake="a simulated schedule starts nothing before the first task",
        file="bench/simulation/run.py",
        old="        if self._end:",
        new="        if False:",
        tests=f"{_SIMULATION}::test_a_schedule_has_its_replicas_there_before_the_first_task",
    ),
    Mutant(
        mistake="simulated replicas that are kept come to no end",
        file="bench/simulation/run.py",
        old="len(self._replicas) <= self._policy.least(self._now)",
        new="not self._replicas",
        tests=f"{_SIMULATION}::test_replicas_that_are_kept_are_paid_until_the_end_of_the_trace",
    ),
    Mutant(
        mistake="a second task that is handed back goes behind all that wait",
        file="bench/simulation/router.py",
        old="insort(self._line, task, key=lambda each: each.sent)",
        new="self._line.append(task)",
        tests="tests/bench/test_router.py",
    ),
    Mutant(
        mistake="a start before the nodes have gone is not told as needless",
        file="bench/scaling/figures.py",
        old="dropwhile(lambda now: not now.is_at_zero, samples)",
        new="dropwhile(lambda now: not now.is_empty, samples)",
        tests="tests/bench/test_scaling.py",
    ),
    Mutant(
        mistake="a node that is kept is counted as started for each burst",
        file="cli/cost/gpu_hours.py",
        old="starts=round(_starts(load, runtime, nodes))",
        new="starts=load.bursts * nodes",
        tests="tests/cli/cost/test_platform_usage.py",
    ),
)
