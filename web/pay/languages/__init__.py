"""What the pay page says, in each of its languages."""

from web.pay.languages.english import ENGLISH
from web.pay.languages.urdu import URDU
from web.pay.languages.vocabulary import Vocabulary

# By language tag; the first is spoken where nobody asked for another.
LANGUAGES: dict[str, Vocabulary] = {words.language.locale: words for words in (ENGLISH, URDU)}
