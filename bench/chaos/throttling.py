"""Errors by which AWS's services refuse a call since there were too many."""

import json

from bench.chaos.calls import AwsCall

_SNS = """<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>\
<Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>chaos</RequestId>\
</ErrorResponse>"""
_S3 = """<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>\
<Message>Please reduce your request rate.</Message><RequestId>chaos</RequestId></Error>"""
_JSON = {
    "sqs": "com.amazonaws.sqs#RequestThrottled",
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
}


def throttling(call: AwsCall) -> tuple[int, str, str]:
    """Return status, content type and body of the service's refusal."""
    match call.service:
        case "s3":
            return 503, "application/xml", _S3
        case "sns":
            return 400, "text/xml", _SNS
        case service:
            told = json.dumps({"__type": _JSON[service], "message": "Rate exceeded"})
            return 400, "application/x-amz-json-1.0", told
