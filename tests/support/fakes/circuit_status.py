"""What processes know of each other's circuit breakers, in memory."""

from dataclasses import dataclass, field

from payproc.domain.payment_methods import PaymentMethod


@dataclass
class FakeCircuitStatus:
    """Keeps the last word about each operation, and everything that was told."""

    told: list[str] = field(default_factory=list)

    def record(self, method: PaymentMethod, operation: str, state: str) -> None:  # noqa: ARG002 (the protocol's shape)
        self.told.append(f"{operation} {state}")

    def is_closed(self, method: PaymentMethod, operation: str) -> bool:  # noqa: ARG002 (the protocol's shape)
        last = [each for each in self.told if each.startswith(operation)][-1:]
        return last == [f"{operation} closed"]
