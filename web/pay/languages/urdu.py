"""Urdu. Sentences leave the customer's gender open, and no verb agrees with a wallet's name."""

# ruff: noqa: RUF001 (Urdu ends its sentences with a letter that looks like a hyphen to it)

from payproc.domain import languages
from payproc.outgoing.decline_reasons import DeclineReason
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.requests import StartMode
from payproc.providers.stripe import STRIPE
from web.pay.languages.vocabulary import OrderWords, Said, Vocabulary, Wallet
from web.pay.order_state import OrderPageState
from web.pay.state import PageState

_STATES = {
    PageState.FORM: Said(
        heading="{actor} کے ذریعے ادائیگی",
        lines=("ادائیگی کی منظوری {actor} کے اپنے صفحے پر دی جاتی ہے، پھر آپ یہیں واپس آ جائیں گے۔",),
    ),
    PageState.LEAVING: Said(
        heading="آپ کو {actor} پر لے جایا جا رہا ہے…",
        lines=("اگر کچھ نہ ہو تو بٹن دبائیں۔",),
    ),
    PageState.AGAIN: Said(
        heading="ادائیگی ابھی مکمل نہیں ہوئی",
        lines=("اگر منظوری دی جا چکی ہے تو یہیں انتظار کریں، یہ صفحہ خود بدل جائے گا۔ ورنہ {actor} پر جائیں۔",),
    ),
    PageState.RETURNED: Said(
        heading="{actor} سے تصدیق کا انتظار ہے",
        lines=(
            "اس میں چند منٹ لگ سکتے ہیں۔ یہ صفحہ خود بدل جائے گا۔",
            "اگر منظوری دیے بغیر واپس آ گئے ہیں تو {actor} کا صفحہ دوبارہ کھولیں۔",
        ),
    ),
    PageState.STUCK: Said(
        heading="یہ ادائیگی فی الحال یہاں آگے نہیں بڑھ سکتی",
        lines=("براہِ کرم اسٹور سے رابطہ کریں اور یہ حوالہ نمبر بتائیں: {reference}",),
    ),
    PageState.PUSH: Said(
        heading="اپنے فون پر منظوری دیں",
        lines=("{phone} پر {actor} کی درخواست بھیجی جا رہی ہے۔ وہاں رقم دیکھ کر اپنے MPIN سے منظوری دیں۔",),
    ),
    PageState.WAITING: Said(
        heading="{actor} سے تصدیق کا انتظار ہے",
        lines=(
            "اگر فون پر منظوری دے دی ہے تو مزید کچھ کرنے کی ضرورت نہیں۔ یہ صفحہ خود بدل جائے گا۔",
            "اگر کوئی درخواست نظر نہیں آئی تو دوبارہ ادائیگی نہ کریں، اس ادائیگی کا نتیجہ آنے تک انتظار کریں۔",
        ),
    ),
    PageState.COUNTER: Said(
        heading="قریبی دکان پر نقد ادائیگی کریں",
        lines=(
            "کسی ایسی دکان پر جائیں جہاں {actor} کی ادائیگیاں وصول کی جاتی ہیں۔",
            "یہ ٹوکن نمبر بتائیں اور {amount} نقد ادا کریں۔",
            "رسید سنبھال کر رکھیں۔ رقم پہنچتے ہی یہ صفحہ بدل جائے گا۔",
        ),
    ),
    PageState.REDIRECT: Said(
        heading="ادائیگی کے صفحے پر جائیں",
        lines=("آپ اپنی معلومات وہاں درج کریں گے، یہاں نہیں۔",),
    ),
    PageState.PREPARING: Said(heading="ایک لمحہ…", lines=("آپ کی ادائیگی تیار کی جا رہی ہے۔",)),
    PageState.PROCESSING: Said(
        heading="ادائیگی پر کارروائی جاری ہے",
        lines=("ادائیگی اب {actor} کے پاس ہے اور اس میں کچھ وقت لگ سکتا ہے۔ یہ صفحہ خود بدل جائے گا۔",),
    ),
    PageState.SET_ASIDE: Said(
        heading="یہ ادائیگی اب درکار نہیں",
        lines=(
            "اس آرڈر کی ادائیگی کسی اور طریقے سے ہو چکی ہے یا ہو رہی ہے، یا آرڈر ختم ہو گیا ہے۔",
            "اگر {actor} سے اب بھی منظوری مانگی جائے تو منظوری نہ دیں۔",
        ),
    ),
    PageState.MISMATCH: Said(
        heading="اس ادائیگی کو اسٹور دیکھے گا",
        lines=(
            "جو ادائیگی موصول ہوئی ہے وہ اس سے مختلف ہے جو یہاں مانگی گئی تھی۔",
            "براہِ کرم دوبارہ ادائیگی نہ کریں۔ اسٹور سے رابطہ کریں اور یہ حوالہ نمبر بتائیں: {reference}",
        ),
    ),
    PageState.COMPLETED: Said(heading="ادائیگی موصول ہو گئی", lines=("شکریہ! آپ کی ادائیگی مکمل ہو گئی ہے۔",)),
    PageState.FAILED: Said(heading="ادائیگی نہیں ہو سکی"),
    PageState.CANCELLED: Said(heading="ادائیگی منسوخ ہو گئی"),
    PageState.EXPIRED: Said(heading="ادائیگی کا وقت ختم ہو گیا", lines=("مقررہ وقت میں ہمیں کوئی ادائیگی نہیں ملی۔",)),
    PageState.REFUNDED: Said(
        heading="رقم واپس کر دی گئی",
        lines=("رقم وہیں واپس جاتی ہے جہاں سے ادا کی گئی تھی۔ اسے نظر آنے میں چند دن لگ سکتے ہیں۔",),
    ),
    PageState.FORWARD: Said(
        heading="ایک مرحلہ باقی ہے",
        lines=("ادائیگی کی تصدیق کے لیے آپ کو دوبارہ {actor} پر لے جایا جا رہا ہے…",),
    ),
    PageState.BACK: Said(
        heading="آپ اپنے والٹ سے واپس آ گئے ہیں",
        lines=(
            "اسٹور کو بتا دیا جائے گا کہ ادائیگی موصول ہوئی یا نہیں۔",
            "یہاں دیکھنے کے لیے وہی لنک کھولیں جس سے آپ نے ادائیگی شروع کی تھی۔",
        ),
    ),
    PageState.UNKNOWN_LINK: Said(
        heading="یہ لنک درست نہیں ہے",
        lines=("دیکھ لیں کہ پورا لنک کاپی ہوا ہے، یا اسٹور سے نیا لنک مانگیں۔",),
    ),
    PageState.OUT_OF_REACH: Said(
        heading="آپ کی ادائیگی اس وقت دکھائی نہیں جا سکتی",
        lines=("یہ صفحہ خود دوبارہ کوشش کرے گا۔ تب تک براہِ کرم دوبارہ ادائیگی نہ کریں۔",),
    ),
}

_REASONS = {
    DeclineReason.LOW_BALANCE: "اکاؤنٹ میں رقم کافی نہیں تھی۔",
    DeclineReason.PIN: "درج کیا گیا PIN قبول نہیں ہوا۔",
    DeclineReason.NO_ANSWER: "مقررہ وقت میں ادائیگی کی منظوری نہیں ملی۔",
    DeclineReason.LIMIT: "یہ رقم اکاؤنٹ کی ایک بار یا ایک دن کی حد سے زیادہ ہے۔",
    DeclineReason.ACCOUNT: "اس اکاؤنٹ سے فی الحال ادائیگی نہیں ہو سکتی۔ اس بارے میں {actor} سے مدد مل سکتی ہے۔",
    DeclineReason.CARD: "کارڈ قبول نہیں ہوا۔ کوئی دوسرا کارڈ آزمایا جا سکتا ہے۔",
    DeclineReason.DETAILS: "موبائل نمبر یا رقم {actor} کے نظام میں قبول نہیں ہوئی۔",
    DeclineReason.UNREACHABLE: "{actor} سے رابطہ نہیں ہو سکا۔",
    DeclineReason.DECLINED: "{actor} کی طرف سے منظوری نہیں ملی۔",
    DeclineReason.CANCELLED: "منظوری سے پہلے ادائیگی روک دی گئی۔",
    DeclineReason.EXPIRED: "مقررہ وقت میں منظوری نہیں ملی۔",
    DeclineReason.UNKNOWN: "{actor} کی طرف سے ادائیگی مکمل نہیں ہوئی۔",
}

_ORDER_STATES = {
    OrderPageState.CHOOSE: Said(heading="ادائیگی کا طریقہ منتخب کریں"),
    OrderPageState.CHOOSE_ANOTHER: Said(
        heading="ادائیگی کا دوسرا طریقہ منتخب کریں",
        lines=("{actor} کے مطابق ابھی تک کوئی ادائیگی نہیں ہوئی۔ اب اُس کی منظوری نہ دیں، ورنہ رقم دو بار کٹ جائے گی۔",),
    ),
    OrderPageState.NO_METHOD: Said(
        heading="اس آرڈر کی ادائیگی فی الحال یہاں نہیں ہو سکتی",
        lines=("براہِ کرم اسٹور سے رابطہ کریں اور یہ حوالہ نمبر بتائیں: {reference}",),
    ),
    OrderPageState.OPEN: Said(
        heading="ادائیگی شروع ہو چکی ہے",
        lines=("طریقہ: {method}۔ اسے جاری رکھیں، یا منسوخ کر کے دوسرا طریقہ منتخب کریں۔",),
    ),
    OrderPageState.CALLING_OFF: Said(
        heading="ادائیگی منسوخ کی جا رہی ہے…",
        lines=("اس کے بعد دوبارہ انتخاب ہو سکے گا۔ اگر آخری لمحے میں ادائیگی ہو گئی تو یہیں بتا دیا جائے گا۔",),
    ),
    OrderPageState.LEFT: Said(
        heading="ادائیگی شروع ہو چکی ہے",
        lines=(
            "طریقہ: {method}۔ اگر منظوری دے دی ہے تو انتظار کریں، یہ صفحہ خود بدل جائے گا۔",
            "اگر وہاں ادائیگی نہیں کی تو بتا دیں۔ دوسرے طریقے سے پہلے {actor} سے پوچھا جائے گا۔",
        ),
    ),
    OrderPageState.ASKING: Said(
        heading="{actor} سے پوچھا جا رہا ہے کہ ادائیگی ہوئی یا نہیں",
        lines=("براہِ کرم جواب کا انتظار کریں۔ اس سے پہلے دوسرے طریقے سے ادائیگی کرنے پر رقم دو بار کٹ سکتی ہے۔",),
    ),
    OrderPageState.WAIT: Said(
        heading="ایک ادائیگی جاری ہے",
        lines=(
            "طریقہ: {method}۔ اسے یہاں سے روکا نہیں جا سکتا۔ فون پر جو درخواست آپ نہیں چاہتے، اسے وہیں رد کر دیں۔",
            "یہ ادائیگی مکمل نہ ہوئی تو دوسرا طریقہ منتخب ہو سکے گا۔ اس سے پہلے ادائیگی کرنے پر رقم دو بار کٹ سکتی ہے۔",
        ),
    ),
    OrderPageState.RETURNED: Said(
        heading="{actor} سے تصدیق کا انتظار ہے",
        lines=("اس میں کچھ لمحے لگ سکتے ہیں۔ یہ صفحہ خود بدل جائے گا۔",),
    ),
    OrderPageState.MISMATCH: Said(
        heading="اس ادائیگی کو اسٹور دیکھے گا",
        lines=(
            "جو ادائیگی موصول ہوئی ہے وہ اس سے مختلف ہے جو یہاں مانگی گئی تھی۔",
            "براہِ کرم دوبارہ ادائیگی نہ کریں۔ اسٹور سے رابطہ کریں اور یہ حوالہ نمبر بتائیں: {reference}",
        ),
    ),
    OrderPageState.PAID: Said(heading="ادائیگی موصول ہو گئی", lines=("شکریہ! اس آرڈر کی ادائیگی ہو چکی ہے۔",)),
    OrderPageState.PAID_TWICE: Said(
        heading="اس آرڈر کی ادائیگی دو بار ہو گئی ہے",
        lines=(
            "اس کے لیے دو ادائیگیاں موصول ہوئی ہیں۔ اسٹور کو بتا دیا گیا ہے، اور ایک رقم واپس کر دی جائے گی۔",
            "آپ کو کچھ کرنے کی ضرورت نہیں۔ اسٹور سے پوچھنا ہو تو یہ حوالہ نمبر بتائیں: {reference}",
        ),
    ),
    OrderPageState.REFUNDED: Said(
        heading="رقم واپس کر دی گئی",
        lines=("رقم وہیں واپس جاتی ہے جہاں سے ادا کی گئی تھی۔ اسے نظر آنے میں چند دن لگ سکتے ہیں۔",),
    ),
    OrderPageState.EXPIRED: Said(
        heading="ادائیگی کا وقت ختم ہو گیا",
        lines=("اس لنک سے اب ادائیگی نہیں ہو سکتی۔ اگر اب بھی ادائیگی کرنی ہو تو اسٹور سے نیا لنک مانگیں۔",),
    ),
    OrderPageState.CLOSED: Said(
        heading="اسٹور نے یہ آرڈر بند کر دیا ہے",
        lines=("اب اس کی ادائیگی نہیں ہو سکتی۔ اگر آپ کے خیال میں یہ غلطی ہے تو اسٹور سے پوچھیں۔",),
    ),
}

_ORDER = OrderWords(
    states=_ORDER_STATES,
    hints={
        StartMode.IDEMPOTENT: "کارڈ نمبر اگلے صفحے پر درج ہو گا۔",
        StartMode.SINGLE_SHOT: "آپ کے فون پر درخواست آئے گی، وہیں اپنے MPIN سے منظوری دیں۔",
        StartMode.FORM_POST: "منظوری {actor} کے اپنے صفحے پر دی جاتی ہے۔",
    },
    problems={
        "phone_missing": "اپنے {actor} اکاؤنٹ کا موبائل نمبر درج کریں۔",
        "phone_invalid": "یہ پاکستانی موبائل نمبر نہیں ہے۔ نمبر اس طرح لکھیں: 03001234567",
        "cnic_missing": "اپنے شناختی کارڈ نمبر کے آخری چھ ہندسے درج کریں۔",
        "cnic_invalid": "شناختی کارڈ نمبر کے صرف آخری چھ ہندسے درج کریں۔",
    },
    items="اشیاء",
    phone_label="آپ کے {actor} اکاؤنٹ کا موبائل نمبر",
    phone_known="{phone} استعمال کرنے کے لیے یہ خانہ خالی چھوڑ دیں۔",
    cnic_label="شناختی کارڈ نمبر کے آخری چھ ہندسے",
    cnic_hint="یہ صرف {actor} کو بتائے جاتے ہیں، کسی اور کو نہیں۔",
    pay="{amount} ادا کریں",
    way_refused="یہ طریقہ اس وقت استعمال نہیں ہو سکتا۔ براہِ کرم کوئی دوسرا طریقہ منتخب کریں۔",
    too_many="ابھی بہت سی درخواستیں بھیجی جا چکی ہیں۔ چند منٹ انتظار کریں، یا دوسرا طریقہ منتخب کریں۔",
    go_on="یہی ادائیگی جاری رکھیں",
    call_off="اسے منسوخ کر کے دوسرا طریقہ منتخب کریں",
    left="میں نے وہاں ادائیگی نہیں کی",
    asked_within="تقریباً {minutes} منٹ کے اندر جواب مل جائے گا۔",
    ends_by="یہ {moment} تک خود ختم ہو جائے گی ({zone})۔",
    receipt_to="رسید {address} پر بھیجی جا رہی ہے۔",
    scan="فون پر جاری رکھنے کے لیے اسکین کریں",
    another_way="دوسرے طریقے سے ادائیگی کریں",
    see_order="آرڈر دیکھیں",
)

URDU = Vocabulary(
    language=languages.URDU,
    language_switch="زبان",
    amount="رقم",
    merchant="وصول کنندہ",
    contact="رابطہ",
    description="برائے",
    method="ذریعہ",
    phone="موبائل",
    reference="حوالہ نمبر",
    receipt="رسید نمبر",
    test="آزمائشی ادائیگی",
    footer="اس صفحے پر PIN، MPIN یا کارڈ نمبر کبھی نہیں پوچھا جاتا۔",
    states=_STATES,
    reasons=_REASONS,
    wallets={
        JAZZ_CASH: Wallet(label="جاز کیش", actor="جاز کیش"),
        EASY_PAISA: Wallet(label="ایزی پیسہ", actor="ایزی پیسہ"),
        STRIPE: Wallet(label="کارڈ", actor="آپ کے بینک"),
    },
    other_wallet=Wallet(label="والٹ", actor="والٹ"),
    push_without_phone=("آپ کے فون پر {actor} کی درخواست بھیجی جا رہی ہے۔ وہاں رقم دیکھ کر اپنے MPIN سے منظوری دیں۔"),
    mpin="اپنا MPIN صرف اپنے فون پر درج کریں۔ ہم کبھی MPIN نہیں پوچھتے، اور کسی اور کو بھی نہ بتائیں۔",
    token="ٹوکن نمبر",  # noqa: S106 (the word on a label)
    pay_until="{moment} تک ادا کریں ({zone})۔",
    nothing_charged="آپ سے کوئی رقم نہیں لی گئی۔",
    if_money_left="اگر آپ کے اکاؤنٹ سے رقم کٹ گئی ہے تو اسٹور کو یہ حوالہ نمبر بتائیں: {reference}",
    go_on="{actor} پر جائیں",
    go_on_again="{actor} دوبارہ کھولیں",
    open_page="ادائیگی کا صفحہ کھولیں",
    already_approved="منظوری دے دی ہے؟ ادائیگی کی صورتِ حال دیکھیں۔",
    asked_again="{minutes} منٹ کے اندر {actor} سے دوبارہ پوچھا جائے گا۔",
    call_off="یہ ادائیگی منسوخ کریں",
    being_called_off="یہ ادائیگی منسوخ کی جا رہی ہے۔",
    goes_on="یہ صفحہ بند کرنے پر بھی ادائیگی جاری رہے گی۔ نتیجہ آنے سے پہلے دوبارہ ادائیگی نہ کریں۔",
    back_to_shop="اسٹور پر واپس جائیں",
    try_again="اسٹور پر جا کر دوبارہ کوشش کریں",
    close_page="اب یہ صفحہ بند کیا جا سکتا ہے۔",
    leaving_in="{seconds} سیکنڈ میں خود بخود واپسی",
    stay="یہیں رہیں",
    no_connection="اس وقت رابطہ نہیں ہو رہا۔ کوشش جاری ہے۔",
    order=_ORDER,
    moment="{day} {month} {year}، {part} {half_day_clock} بجے",
)
