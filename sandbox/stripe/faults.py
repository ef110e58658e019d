"""What may be ordered to go wrong with Stripe."""

from sandbox.faults.orders import WEBHOOK, ApiFault, Possible, WebhookFault
from sandbox.stripe.api.operations import OPERATION_NAMES

# No answer of Stripe's is signed; only its events are.
CALLS: Possible = {name: frozenset(ApiFault) - {ApiFault.BAD_SIGNATURE} for name in OPERATION_NAMES}
NOTICES: Possible = {WEBHOOK: frozenset(WebhookFault)}
