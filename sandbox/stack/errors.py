"""What can go wrong with a stack."""


class StackFailed(Exception):
    """The stack cannot start or go on. The message is one line; `log` holds the last words of whoever failed."""

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class ServerFailed(StackFailed):
    """An embedded server would not start; the message is its own last words."""
