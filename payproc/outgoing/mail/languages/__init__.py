"""What our mails say to customers, in each language."""

from payproc.domain.languages import Locale
from payproc.outgoing.mail.languages.english import ENGLISH
from payproc.outgoing.mail.languages.urdu import URDU
from payproc.outgoing.mail.languages.vocabulary import Vocabulary

LANGUAGES: dict[Locale, Vocabulary] = {words.language.locale: words for words in (ENGLISH, URDU)}
