"""Bodies and answers, as the OpenAPI document shows them."""
