"""The far side of the Stripe wire: a stateful simulator of the calls and pages payproc depends on."""
