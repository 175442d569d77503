"""What AWS charges, for the benchmarks and for `make verify-deployed`."""
# List prices in dollars, us-east-1, arm64, as published in 2026.
LAMBDA_REQUEST = 0.20 / 1e6
LAMBDA_GB_SECOND = 0.0000133334
LAMBDA_GB_SECOND_X86 = 0.0000166667
S3_WRITE = 0.005 / 1e3        # PUT, COPY, POST, LIST
S3_READ = 0.0004 / 1e3        # GET and the others; DELETE costs nothing
S3_GB_MONTH = 0.023
DYNAMODB_WRITE = 0.625 / 1e6  # on demand, since November 2024
DYNAMODB_READ = 0.125 / 1e6
SCHEDULER_INVOCATION = 1.00 / 1e6
GATEWAY_REQUEST = 1.00 / 1e6  # HTTP API
LOG_GB = 0.50
METRIC_MONTH = 0.30           # the first 10,000; charged for the hours in which it is sent
KMS_KEY_MONTH = 1.00
KMS_REQUEST = 0.03 / 1e4
SECRET_MONTH = 0.40
