"""The calls to the automation platform's endpoint: requests, HTTP clients, tokens."""
