"""Refusals in the JSON shape Stripe gives them."""

from enum import StrEnum

from sandbox.store import Json


class ErrorType(StrEnum):
    """The `type` of an error body."""

    API = "api_error"
    CARD = "card_error"
    IDEMPOTENCY = "idempotency_error"
    INVALID_REQUEST = "invalid_request_error"


class RefusedError(Exception):
    """A request Stripe would answer with an error."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        error_type: ErrorType = ErrorType.INVALID_REQUEST,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.error_type = error_type

    def body(self) -> Json:
        """Return the JSON body; absent fields are left out, as Stripe leaves them out."""
        error: Json = {"message": self.message, "type": str(self.error_type)}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def missing(noun: str, object_id: str, *, param: str, status: int = 404) -> RefusedError:
    """Return the refusal for an id nobody has; `noun` is how Stripe's message calls the object."""
    return RefusedError(f"No such {noun}: '{object_id}'", status=status, code="resource_missing", param=param)


def internal() -> RefusedError:
    """Return the 500 whose meaning the caller cannot know."""
    return RefusedError("An unknown error occurred. (sandbox fault)", status=500, error_type=ErrorType.API)
