"""Easypaisa: wallet charges, cash at a shop, a hosted page, and the guide's own dialect."""

from payproc.domain.payment_methods import PaymentMethod

EASY_PAISA = PaymentMethod("easy_paisa")
