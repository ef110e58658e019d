"""JazzCash: a mobile wallet of Pakistan, in the guide's dialect and in the gateway's own."""

from payproc.domain.payment_methods import PaymentMethod

JAZZ_CASH = PaymentMethod("jazz_cash")
