"""Where things are looked up."""

PAYMENTS = "/api/v1/payments"
ORDERS = "/api/v1/orders"
WEBHOOK_ENDPOINTS = "/api/v1/webhook-endpoints"
WEBHOOK_DELIVERIES = "/api/v1/webhook-deliveries"


def payment_location(payment_id: str) -> str:
    """Return where a payment is looked up."""
    return f"{PAYMENTS}/{payment_id}"


def refund_location(refund_id: str) -> str:
    """Return where a refund is looked up."""
    return f"{PAYMENTS}/refund/{refund_id}"


def order_location(order_id: str) -> str:
    """Return where an order is looked up."""
    return f"{ORDERS}/{order_id}"


def endpoint_location(endpoint_id: str) -> str:
    """Return where a webhook endpoint is looked up."""
    return f"{WEBHOOK_ENDPOINTS}/{endpoint_id}"


def delivery_location(delivery_id: str) -> str:
    """Return where a delivery of a webhook is looked up."""
    return f"{WEBHOOK_DELIVERIES}/{delivery_id}"
