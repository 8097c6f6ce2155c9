from typing import Any

import pytest
from pydantic import ValidationError

from models.settings.browser_entry import BrowserEntry

GIVEN: dict[str, Any] = {
    "domain": "studio.example.com",
    "certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/front",
    "listenerCertificateArn": "arn:aws:acm:us-west-2:111122223333:certificate/listener",
    "signIn": "cognito",
}


def test_a_front_with_all_that_a_sign_in_needs_is_taken() -> None:
    assert BrowserEntry.model_validate(GIVEN).sign_in == "cognito"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"domain": None}, "go together"),
        ({"certificateArn": GIVEN["listenerCertificateArn"]}, "us-east-1"),
        ({"listenerCertificateArn": None}, "over HTTPS only"),
        ({"signIn": "oidc"}, "oidc go together"),
    ],
)
def test_what_could_never_work_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        BrowserEntry.model_validate(GIVEN | changed)


def test_a_load_balancers_certificate_is_of_a_name_that_people_ask_for() -> None:
    """CloudFront hands on the browser's Host; no certificate has that of CloudFront's domain."""
    with pytest.raises(ValidationError, match="needs domain"):
        BrowserEntry.model_validate({"listenerCertificateArn": GIVEN["listenerCertificateArn"]})
