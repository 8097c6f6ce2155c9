"""Web application firewall before the load balancer, in the stack's own region.

One at CloudFront would have to be in us-east-1, and so in a stack of its own.
"""

from typing import Any

from aws_cdk.aws_wafv2 import CfnWebACL, CfnWebACLAssociation
from constructs import Construct

_RATE = 2_000
"""Requests that an address may make in five minutes."""
_ADDRESS_HEADER = "X-Viewer-Ip"
VIEWER_ADDRESS_FUNCTION = f"""
function handler(event) {{
  event.request.headers['{_ADDRESS_HEADER.lower()}'] = {{value: event.viewer.ip}};
  return event.request;
}}
"""
"""CloudFront function that runs on each request: it puts the viewer's address into a header of its
own, overwriting what the client sent. The first address in X-Forwarded-For is the client's own
word."""
_COMMON = "AWSManagedRulesCommonRuleSet"
_MANAGED = ("AWSManagedRulesKnownBadInputsRuleSet", _COMMON)
# Rules that only count, since they would refuse honest requests: a task is large, with links and
# prompts in it, and the load balancer's session cookies have up to 16 kB, where AWS allows 10.
_COUNTED_RULES = (
    "SizeRestrictions_BODY",
    "GenericRFI_BODY",
    "GenericLFI_BODY",
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "SizeRestrictions_Cookie_HEADER",
)


class Firewall(Construct):
    """Web ACL that refuses known attacks, and addresses that ask too often."""

    def __init__(self, scope: Construct, name: str, *, protected: str) -> None:
        """Associate the web ACL with a load balancer; ``protected`` is its ARN."""
        super().__init__(scope, name)
        managed = [_managed(each, number) for number, each in enumerate(_MANAGED, start=1)]
        self.acl = CfnWebACL(
            self,
            "Acl",
            scope="REGIONAL",
            default_action=CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("all"),
            rules=[_rate(), *managed],
        )
        CfnWebACLAssociation(
            self, "Association", resource_arn=protected, web_acl_arn=self.acl.attr_arn
        )


def _rate() -> CfnWebACL.RuleProperty:
    """Limit the rate by the viewer's address, from the header that `VIEWER_ADDRESS_FUNCTION` sets.

    To the load balancer all connections come from CloudFront.
    """
    forwarded = CfnWebACL.ForwardedIPConfigurationProperty(
        header_name=_ADDRESS_HEADER,
        # For what has no valid address there: not counted, rather than blocked.
        fallback_behavior="NO_MATCH",
    )
    by_address = CfnWebACL.RateBasedStatementProperty(
        limit=_RATE, aggregate_key_type="FORWARDED_IP", forwarded_ip_config=forwarded
    )
    return CfnWebACL.RuleProperty(
        name="rate",
        priority=0,
        action=CfnWebACL.RuleActionProperty(block={}),
        statement=CfnWebACL.StatementProperty(rate_based_statement=by_address),
        visibility_config=_visibility("rate"),
    )


def _managed(group: str, priority: int) -> CfnWebACL.RuleProperty:
    overrides: list[Any] = [
        CfnWebACL.RuleActionOverrideProperty(
            name=name, action_to_use=CfnWebACL.RuleActionProperty(count={})
        )
        for name in _COUNTED_RULES
        if group == _COMMON
    ]
    rules = CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS", name=group, rule_action_overrides=overrides or None
    )
    return CfnWebACL.RuleProperty(
        name=group,
        priority=priority,
        # `none` leaves the group's rules their own actions; `count` would let everything pass.
        override_action=CfnWebACL.OverrideActionProperty(none={}),
        statement=CfnWebACL.StatementProperty(managed_rule_group_statement=rules),
        visibility_config=_visibility(group),
    )


def _visibility(name: str) -> CfnWebACL.VisibilityConfigProperty:
    return CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
