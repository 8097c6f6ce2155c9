"""A client that goes on with what it was told: each task is found, watched and cancelled."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import schemathesis
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.core.transport import Response

from tests.fuzz.bounds import bounds, check_words
from tests.serve_app.native.test_openapi import EXCLUDED, SCHEMA
from tests.serve_app.world import KEY

_FEW = 60

Machine: Any = SCHEMA.include(path_regex="^/v1/").as_state_machine()
found: Counter[tuple[str, int]] = Counter()
"""Answers by operation and status."""


class Client(Machine):  # type: ignore[misc] # made from the description
    """Asks for anything, and for what the answers before lead to."""

    def get_call_kwargs(self, case: schemathesis.Case[Any]) -> Mapping[str, Any]:
        return {"headers": {"x-api-key": KEY}, "allow_redirects": False}

    def validate_response(
        self, response: Response, case: schemathesis.Case[Any], *more: Any, **others: Any
    ) -> None:
        del more, others
        found[case.operation.label, int(response.status_code)] += 1
        check_words(response.text if response.status_code >= 400 else "")
        excluded = EXCLUDED.get(case.operation.label, [])
        case.validate_response(response, excluded_checks=excluded, headers={"x-api-key": KEY})


def test_a_client_that_goes_on_is_answered_as_openapi_says() -> None:
    run_state_machine_as_test(Client, settings=bounds(_FEW, steps=6))

    followed = [label for label, status in found if "{id}" in label and status < 400]
    assert followed
    assert not [status for _, status in found if status >= 500]
