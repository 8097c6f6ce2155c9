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
)
