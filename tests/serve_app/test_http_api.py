"""Errors have the form of the HTTP API whose path was asked for."""

import pytest

from serve_app.api import errors_at
from serve_app.dialects.routes import DIALECTS
from serve_app.gateway_errors import GatewayErrors
from serve_app.http_api import ErrorForm
from serve_app.native.routes import NATIVE


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1", NATIVE.errors),
        ("/v1/", NATIVE.errors),
        ("/v1/tasks/owl", NATIVE.errors),
        ("/v1alpha1", DIALECTS.errors),
        ("/v1alpha2/", DIALECTS.errors),
        ("/v1alpha3", DIALECTS.errors),
    ],
)
def test_a_path_belongs_to_the_api_with_its_prefix(path: str, form: ErrorForm) -> None:
    assert errors_at(path) is form


@pytest.mark.parametrize("path", ["/", "", "/v2", "/v10/tasks", "/docs", "//v1/tasks"])
def test_a_path_of_no_api_is_answered_as_api_gateway_does(path: str) -> None:
    assert type(errors_at(path)) is GatewayErrors
