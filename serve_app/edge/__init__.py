"""Edge: the HTTP APIs as a Lambda function behind API Gateway."""
