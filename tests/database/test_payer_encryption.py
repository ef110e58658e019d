from collections.abc import Callable

import pytest
from pydantic import SecretStr

from payproc.database.payer_encryption import Sealer
from payproc.errors import Refusal, RequestRefused
from payproc.providers.requests import Payer
from tests.support.configuration import settings_of_a_test

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"
PAYER = Payer(phone="03001234567", cnic="345678")


def test_what_was_sealed_is_opened_again_and_tells_nothing_meanwhile() -> None:
    sealer = Sealer(settings_of_a_test(NOWHERE))
    sealed = sealer.close(PAYER)
    assert sealed is not None
    assert "3001234567" not in sealed
    assert "345678" not in sealed
    assert sealer.open(sealed) == PAYER
    assert sealer.close(PAYER) != sealed, "two of the same payer cannot be told to be the same"


def test_nothing_is_sealed_where_there_is_nothing_to_hide() -> None:
    sealer = Sealer(settings_of_a_test(NOWHERE))
    assert (sealer.close(Payer()), sealer.open(None)) == (None, Payer())


@pytest.mark.parametrize("spoil", [lambda text: text[:-2], lambda _: "", lambda text: "A" + text[1:]])
def test_what_another_key_sealed_or_somebody_changed_is_an_operators_to_mend(spoil: Callable[[str], str]) -> None:
    settings = settings_of_a_test(NOWHERE)
    sealed = Sealer(settings).close(PAYER)
    assert sealed is not None
    other = Sealer(settings.model_copy(update={"secret_key": SecretStr("another key altogether")}))
    for opener, text in ((other, sealed), (Sealer(settings), spoil(sealed))):
        with pytest.raises(RequestRefused) as refused:
            opener.open(text)
        assert refused.value.refusal is Refusal.CONFIGURATION
