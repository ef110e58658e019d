"""Stripe: cards and more, through hosted Checkout."""

from payproc.domain.payment_methods import PaymentMethod

STRIPE = PaymentMethod("stripe")
