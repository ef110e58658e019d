"""Urdu. Sentences leave the customer's gender open."""

# ruff: noqa: RUF001 (Urdu ends its sentences with a letter that looks like a hyphen to it)

from payproc.database.models import EmailKind
from payproc.domain import languages
from payproc.outgoing.mail.languages.vocabulary import Method, Said, Vocabulary
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE

_BACK = "رقم وہیں واپس جاتی ہے جہاں سے ادا کی گئی تھی۔"
_SOME_DAYS = "وہاں اسے نظر آنے میں کچھ دن لگ سکتے ہیں۔"
_BY_BANK = (_BACK, "آپ کے بینک میں اسے نظر آنے میں 5 سے 10 کاروباری دن لگ سکتے ہیں۔")
_BY_WALLET = ("رقم {method} کے ذریعے واپس جاتی ہے۔", _SOME_DAYS)

URDU = Vocabulary(
    language=languages.URDU,
    greeting="السلام علیکم {name}،",
    messages={
        EmailKind.RECEIPT: Said(
            subject="رسید: {amount}، {reference}",
            heading="رسید",
            lines=("شکریہ! ہمیں آپ کی ادائیگی موصول ہو گئی ہے۔",),
            amount="رقم",
            moment="ادائیگی کا وقت",
        ),
        EmailKind.FAILURE: Said(
            subject="آپ کی ادائیگی نہیں ہو سکی: {amount}، {reference}",
            heading="ادائیگی نہیں ہو سکی",
            lines=(
                "آپ کی ادائیگی نہیں ہو سکی، اس لیے خریداری کی رقم ابھی ادا نہیں ہوئی۔ دوبارہ کوشش کی جا سکتی ہے۔",
                "اگر پھر بھی آپ کے اکاؤنٹ سے رقم کٹ گئی ہے تو ہمیں لکھیں اور نیچے دیا گیا حوالہ نمبر بتائیں۔",
            ),
            amount="رقم",
            moment="ناکامی کا وقت",
        ),
        EmailKind.REFUND: Said(
            subject="رقم کی واپسی: {amount}، {reference}",
            heading="رقم کی واپسی",
            lines=("ہم نے آپ کی ادائیگی میں سے {amount} کی رقم واپس کر دی ہے۔",),
            amount="واپس کی گئی رقم",
            moment="واپسی کا وقت",
        ),
        EmailKind.REFUND_FAILED: Said(
            subject="رقم آپ تک واپس نہیں پہنچ سکی: {amount}، {reference}",
            heading="رقم واپس نہیں ہو سکی",
            lines=(
                "ہم نے آپ کی ادائیگی میں سے {amount} کی رقم واپس کرنے کی کوشش کی، مگر یہ رقم واپس نہیں ہو سکی۔",
                "اگر ہم پہلے لکھ چکے ہیں کہ یہ رقم واپس کر دی گئی ہے تو وہ اب درست نہیں۔",
                "اس بارے میں ہم خود آپ سے رابطہ کریں گے۔ آپ کو کچھ کرنے کی ضرورت نہیں۔",
            ),
            amount="رقم جو واپس نہیں ہوئی",
            moment="ناکامی کا وقت",
        ),
    },
    methods={
        STRIPE: Method(label="کارڈ", returns=_BY_BANK),
        JAZZ_CASH: Method(label="جاز کیش", returns=_BY_WALLET),
        EASY_PAISA: Method(label="ایزی پیسہ", returns=_BY_WALLET),
    },
    other_method=Method(label="والٹ", returns=(_BACK, _SOME_DAYS)),
    merchant="وصول کنندہ",
    contact="رابطہ",
    description="برائے",
    order="آرڈر",
    method="ذریعہ",
    reference="حوالہ نمبر",
    receipt="رسید نمبر",
    refund="واپسی نمبر",
    test="یہ آزمائشی ادائیگی تھی: کوئی رقم منتقل نہیں ہوئی۔",
    keep="براہِ کرم یہ ای میل سنبھال کر رکھیں۔ اس ادائیگی کے بارے میں ہمیں لکھتے وقت اس کا حوالہ نمبر بتائیں۔",
    moment="{day} {month} {year}، {part} {half_day_clock} بجے ({zone})",
)
