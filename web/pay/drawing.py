"""What every pay page shares: its frame, its language, and what a browser may do with it."""

from urllib.parse import urlsplit

from flask import Response, make_response, render_template, request, url_for

from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.phrases import code
from payproc.providers.answers import PostForm
from web.auth import application
from web.pay import formatting
from web.pay.languages import LANGUAGES
from web.pay.languages.vocabulary import Vocabulary
from web.pay.logo import logo
from web.pay.state import PageState

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_LANGUAGE_COOKIE = "payproc_language"
_YEAR_SECONDS = 365 * 24 * 3600


def draw(template: str, *, form: PostForm | None = None, posts_here: bool = False, **context: object) -> Response:
    """Draw a page. Its forms may reach whom `form` goes to, or ourselves where it `posts_here`, and nobody else."""
    vocabulary = vocabulary_asked_for()
    others = [spoken.language for spoken in LANGUAGES.values() if spoken is not vocabulary]
    html = render_template(
        template,
        vocabulary=vocabulary,
        others=others,
        PageState=PageState,
        say=formatting.say,
        formatting=formatting,
        code=code,
        merchant=_merchant(),
        form=form,
        **context,
    )
    answer = make_response(html)
    ours = "'self'" if posts_here else "'none'"
    allowed = " ".join(_targets(form)) if form else ours
    answer.headers["Content-Security-Policy"] = f"{_POLICY}; form-action {allowed}"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Cache-Control"] = "no-store"
    if request.args.get("lang") == vocabulary.language.locale:
        _remember_language(answer, vocabulary)
    return answer


def message(state: PageState, *, status: int) -> Response:
    """Draw a page that is about nothing that we could show."""
    answer = draw("message.html", state=state)
    answer.status_code = status
    return answer


def forward_page(form: PostForm, *, method: PaymentMethod) -> Response:
    """Return the page between two of a wallet's own: its form goes on by itself, or by its button."""
    wallet = vocabulary_asked_for().wallet(method)
    return draw("forward.html", form=form, wallet=wallet, state=PageState.FORWARD)


def vocabulary_asked_for() -> Vocabulary:
    """Return the language that was asked for: in the link, in an earlier one, or by the browser."""
    for asked in (request.args.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
        if asked in LANGUAGES:
            return LANGUAGES[asked]
    tags = list(LANGUAGES)
    return LANGUAGES[request.accept_languages.best_match(tags, default=tags[0])]


def wants_html() -> bool:
    """Tell whether whoever asks is a person's browser."""
    # Named, and not only admitted: a program says */*.
    return any(kind == "text/html" and quality > 0 for kind, quality in request.accept_mimetypes)


def web_address(url: str | None) -> str | None:
    """Return an address that a page may lead to; None for what is none."""
    # Checked when the payment was made. A link that runs a script would be the end of every other care.
    return url if url is not None and urlsplit(url).scheme in ("http", "https") else None


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, as a content security policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _targets(form: PostForm) -> list[str]:
    """Return whom a form's post may reach: the wallet, and ourselves, where the wallet may send it straight back.

    Chromium holds every redirect that follows a post against form-action as well, and shows the customer nothing where
    one is refused.
    """
    urls = (form.url, application().settings.public_base_url, form.return_url)
    return list(dict.fromkeys(("'self'", *(origin_of(url) for url in urls if url), *form.sites)))


def _merchant() -> dict[str, str | None]:
    settings, shown = application().settings, logo()
    path = url_for("pay_logo.image", v=shown.version) if shown else None
    return {
        "logo": path,
        "preview": f"{settings.public_base_url}{path}" if shown and not shown.is_drawing else None,
        "name": settings.merchant_name,
        "contact": settings.merchant_contact,
        "zone": settings.merchant_time_zone,
    }


def _remember_language(answer: Response, vocabulary: Vocabulary) -> None:
    # The wallet sends the browser back without it.
    answer.set_cookie(
        _LANGUAGE_COOKIE,
        vocabulary.language.locale,
        max_age=_YEAR_SECONDS,
        secure=application().settings.public_base_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )
