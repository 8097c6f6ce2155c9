"""The ports on AWS, on aiobotocore; nothing else imports its SDK."""
