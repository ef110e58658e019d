"""What the pay page says, in each of its languages."""

from web.words.english import ENGLISH
from web.words.urdu import URDU
from web.words.vocabulary import Vocabulary

# By language tag; the first is spoken where nobody asked for another.
LANGUAGES: dict[str, Vocabulary] = {words.tag: words for words in (ENGLISH, URDU)}
