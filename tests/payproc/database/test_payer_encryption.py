from collections.abc import Callable

import pytest
from pydantic import SecretStr

from payproc.database.payer_encryption import PayerCipher
from payproc.errors import Refusal, RequestRefused
from payproc.providers.requests import Payer
from tests.support.configuration import settings_of_a_test

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"
PAYER = Payer(phone="03001234567", cnic="345678")


def test_what_was_encrypted_is_decrypted_and_tells_nothing_meanwhile() -> None:
    payer_cipher = PayerCipher(settings_of_a_test(NOWHERE))
    encrypted = payer_cipher.encrypt(PAYER)
    assert encrypted is not None
    assert "3001234567" not in encrypted
    assert "345678" not in encrypted
    assert payer_cipher.decrypt(encrypted) == PAYER
    assert payer_cipher.encrypt(PAYER) != encrypted, "two of the same payer cannot be told to be the same"


def test_nothing_is_encrypted_where_there_is_nothing_to_hide() -> None:
    payer_cipher = PayerCipher(settings_of_a_test(NOWHERE))
    assert (payer_cipher.encrypt(Payer()), payer_cipher.decrypt(None)) == (None, Payer())


@pytest.mark.parametrize("spoil", [lambda text: text[:-2], lambda _: "", lambda text: "A" + text[1:]])
def test_what_another_key_encrypted_or_somebody_changed_is_an_operators_to_mend(spoil: Callable[[str], str]) -> None:
    settings = settings_of_a_test(NOWHERE)
    encrypted = PayerCipher(settings).encrypt(PAYER)
    assert encrypted is not None
    other = PayerCipher(settings.model_copy(update={"secret_key": SecretStr("another key altogether")}))
    for cipher, text in ((other, encrypted), (PayerCipher(settings), spoil(encrypted))):
        with pytest.raises(RequestRefused) as refused:
            cipher.decrypt(text)
        assert refused.value.refusal is Refusal.CONFIGURATION
