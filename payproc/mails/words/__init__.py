"""What our mails say to customers, in each language."""

from payproc.mails.words.english import ENGLISH
from payproc.mails.words.urdu import URDU
from payproc.mails.words.vocabulary import Vocabulary
from payproc.models import Locale

LANGUAGES: dict[Locale, Vocabulary] = {words.locale: words for words in (ENGLISH, URDU)}
