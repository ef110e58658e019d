"""payproc: take cards through Stripe and Pakistani wallets, and lose, double or invent no payment."""

__version__ = "0.1.0"
