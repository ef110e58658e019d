"""Rules of this house that no linter knows. Each is shown to be able to fail, at the end."""

import ast
import io
import re
import shutil
import subprocess
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import PurePosixPath

import pytest

from tests.support.databases import ROOT


@dataclass(frozen=True)
class Source:
    """A file as git knows it: `path` from the root, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def folder(self) -> str:
        return self.path.partition("/")[0]


Rule = Callable[[Source], Iterator[str]]

SHIPPED = ("payproc", "web", "tasks")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def _files() -> tuple[Source, ...]:
    git = shutil.which("git")
    assert git is not None
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    paths = sorted({path for path in listed.decode().split("\0") if path and (ROOT / path).is_file()})
    return tuple(Source(path, (ROOT / path).read_text(encoding="utf-8", errors="replace")) for path in paths)


def _python(*folders: str) -> Iterable[Source]:
    return (source for source in _files() if source.path.endswith(".py") and (not folders or source.folder in folders))


def _broken(rule: Rule, sources: Iterable[Source]) -> list[str]:
    return [f"{source.path}: {finding}" for source in sources for finding in rule(source)]


def _at(node: ast.AST, what: str) -> str:
    return f"line {getattr(node, 'lineno', '?')}: {what}"


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the last part of its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    yield node, name


# --- Rules ------------------------------------------------------------------------------------------------------------


def naive_times(source: Source) -> Iterator[str]:
    for node, name in _calls(source.tree):
        if not isinstance(node.func, ast.Attribute) or "datetime" not in ast.unparse(node.func.value):
            continue
        arguments = len(node.args) + len(node.keywords)
        least = {"utcnow": 99, "utcfromtimestamp": 99, "today": 99, "now": 1, "fromtimestamp": 2}
        if arguments < least.get(name, 0):
            yield _at(node, f"{ast.unparse(node)} has no time zone")


_MONEY = re.compile(
    r"payproc/(domain/money|mail/.+|records/(payments|orders|refunds|refunded|disputes|ledger/\w+))\.py"
    r"|payproc/providers/\w+/(wire|wire/\w+)\.py|web/(schemas/\w+|api/(payments|refunds|ledger))\.py"
)


def floats_near_money(source: Source) -> Iterator[str]:
    if not _MONEY.fullmatch(source.path):
        return
    passed = {id(node) for allowed in ast.walk(source.tree) for node in _never_money(allowed)}
    for node in ast.walk(source.tree):
        if id(node) in passed:
            continue
        match node:
            case ast.Name(id="float"):
                yield _at(node, "float")
            case ast.Constant(value=float() as value):
                yield _at(node, f"the float {value}")


def _never_money(node: ast.AST) -> Iterator[ast.AST]:
    # A span of time says so in its name. An example only ever becomes a line of the OpenAPI document.
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.endswith("_SECONDS"):
            yield from ast.walk(value)
        case ast.keyword(arg="examples", value=value):
            yield from ast.walk(value)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "examples":
                    yield from ast.walk(value)


def commits(source: Source) -> Iterator[str]:
    for node, name in _calls(source.tree):
        if name in ("commit", "begin_nested"):
            yield _at(node, f"{ast.unparse(node)}: Database.transaction() commits, and nothing else")


def environment_reads(source: Source) -> Iterator[str]:
    if source.folder in ("tests", "sandbox") or source.path in (
        "payproc/settings/__init__.py",
        "tasks/flower_config.py",
    ):
        return
    for node in ast.walk(source.tree):
        match node:
            # WSGI's own, which has a request's headers in it.
            case ast.Attribute(value=ast.Name(id="request"), attr="environ"):
                continue
            case ast.Attribute(attr="environ" | "environb" | "getenv"):
                yield _at(node, ast.unparse(node))
            case ast.ImportFrom(module="os", names=names) if {"environ", "getenv"} & {name.name for name in names}:
                yield _at(node, ast.unparse(node))


# Whose status a module may write: the name of the variable that holds it.
_STATUS_WRITERS = {
    "payproc/records/payments.py": {"payment"},
    "payproc/records/orders.py": {"order"},
    "payproc/records/refunds.py": {"refund"},
    "payproc/records/disputes.py": {"dispute"},
    "payproc/records/idempotency.py": {"row"},  # the HTTP status of a remembered answer
}

_MAKERS = {
    # Where it is taken; and where one is made again that a restore has lost.
    "Payment": {"payproc/flows/checkout.py", "payproc/reconcile/objects/lost.py"},
    "Refund": {"payproc/records/refunds.py"},
    "Dispute": {"payproc/records/disputes.py"},
}
_WRITING = re.compile(r"(?i)\b(update|insert\s+into)\s+(payments|refunds|disputes)\b")
# Where a payment begins, as pending: whatever comes of it goes through the grid.
_BEGINNING = ("payproc/records/payments.py", "insert into payments")


def _writes_by_sql(text: str, path: str) -> bool:
    written = {" ".join(found.group().lower().split()) for found in _WRITING.finditer(text)}
    return any((path, words) != _BEGINNING for words in written)


def status_writes(source: Source) -> Iterator[str]:
    writers = _STATUS_WRITERS.get(source.path, set())
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(attr="status", ctx=ast.Store(), value=holder) if ast.unparse(holder) not in writers:
                yield _at(node, f"{ast.unparse(node)} is assigned")
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value="status"), *_]):
                yield _at(node, ast.unparse(node))
            case ast.Call(func=ast.Name(id="update" | "insert"), args=[ast.Name(id="Payment" | "Refund" | "Dispute")]):
                yield _at(node, f"{ast.unparse(node)} goes past the grid")
            case ast.Call(func=ast.Name(id="Payment" | "Refund" | "Dispute" as made)) if (
                source.path not in _MAKERS[made]
            ):
                yield _at(node, f"a {made.lower()} is made")
            case ast.Constant(value=str(text)) if _writes_by_sql(text, source.path):
                yield _at(node, "SQL that writes payments, refunds or disputes")


_NAMELESS = re.compile(r"(utils?|helpers?|commons?|misc|managers?|base_?utils?)")


def names_that_say_nothing(source: Source) -> Iterator[str]:
    path = PurePosixPath(source.path)
    for part in (*path.parent.parts, path.stem):
        if _NAMELESS.fullmatch(part.lower()):
            yield f"{part} does not say what is in it"


_LONGEST_FUNCTION = 60


def long_functions(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTION) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > _LONGEST_FUNCTION:
                yield _at(node, f"{node.name} has {lines} lines")


_EXCUSE = re.compile(
    r"""\#\ (ruff:\ )?noqa:\ [A-Z]+[0-9]+(,\ ?[A-Z]+[0-9]+)*(?P<lint>.*)  # which rules, then why
      | \#\ type:\ ignore\[[\w, -]+\](?P<types>.*)""",
    re.VERBOSE,
)
_REASON = re.compile(r"[a-z]{3,}", re.IGNORECASE)


def excuses_without_a_reason(source: Source) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT or not re.search(r"#\s*(ruff:\s*)?noqa|#\s*type:\s*ignore", token.string):
            continue
        excuse = _EXCUSE.search(token.string)
        if excuse is None or not _REASON.search(excuse["lint"] or excuse["types"] or ""):
            yield f"line {token.start[0]}: {token.string}"


def skipped_tests(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail", "importorskip", "skipTest"):
            yield _at(node, ast.unparse(node))


def imports_between_tests(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("tests."):
                yield from (_at(node, finding) for finding in _misplaced(module, PurePosixPath(source.path).parent))


def _misplaced(module: str, user: PurePosixPath) -> Iterator[str]:
    path = PurePosixPath(*module.split("."))
    if path.name == "conftest" or path.name.startswith("test_"):
        yield f"{module} is pytest's to import"
    elif not (module.startswith("tests.support") or user.is_relative_to(path.parent) or path.is_relative_to(user)):
        yield f"{module} is of another folder: what several share stands in tests/support/"


_LONGEST_SENTENCE = 75


def names_longer_than_a_sentence(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTION) and len(node.name.removeprefix("test_")) > _LONGEST_SENTENCE:
            yield _at(node, f"{node.name} is a paragraph: a test's name is one sentence")


_CONSTANT = re.compile(r"_*[A-Z][A-Z0-9_]*")


def patched_constants(source: Source) -> Iterator[str]:
    for call, name in _calls(source.tree):
        for argument in call.args[:2] if name == "setattr" else ():
            match argument:
                case ast.Constant(value=str(path)) if _CONSTANT.fullmatch(path.rpartition(".")[2]):
                    yield _at(call, f"{path} is patched: let it be a parameter with a default")


def conftests_that_hold_more_than_fixtures(source: Source) -> Iterator[str]:
    if PurePosixPath(source.path).name != "conftest.py":
        return
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) or (isinstance(node, _FUNCTION) and not _is_for_pytest(node)):
            yield _at(node, f"{node.name} is no fixture")


def _is_for_pytest(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return node.name.startswith("pytest_") or any("fixture" in ast.unparse(each) for each in node.decorator_list)


_PROVIDER_CALLS = frozenset(
    {"start", "inquire", "cancel", "create_customer", "find_start", "find_customer", "post", "refund", "inquire_refund"}
)


def calls_out_with_a_transaction_open(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if _opens_transaction(node) or _takes_session(node):
            for call, name in _calls(ast.Module(body=getattr(node, "body", []), type_ignores=[])):
                if isinstance(call.func, ast.Attribute) and name in _PROVIDER_CALLS:
                    yield _at(call, f"{ast.unparse(call.func)}() while a transaction is open")


def _opens_transaction(node: ast.AST) -> bool:
    if not isinstance(node, ast.With):
        return False
    return any(name in ("transaction", "begin") for item in node.items for _, name in _calls(item.context_expr))


def _takes_session(node: ast.AST) -> bool:
    # Whoever is handed a session is inside somebody's transaction.
    if not isinstance(node, _FUNCTION):
        return False
    return any(argument.arg == "session" for argument in (*node.args.args, *node.args.kwonlyargs))


# Put together here, so that this file does not find itself.
_MACHINE_PATH = re.compile(r"(?<![\w.~})-])/(work|root|home)/")
_INDEX = re.compile(
    "|".join(
        (
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "--(extra-)?index" + "-url",
            "docker" + r"\.io/",
            "ghcr" + r"\.io",
        )
    )
)


def places_of_one_machine(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        for found in (_MACHINE_PATH.search(line), _INDEX.search(line)):
            if found:
                yield f"line {number}: {found[0]}"


_TASK_ARGUMENTS = frozenset({"Jobs", "Sequence[Mapping[str, str]]", "str"})


def messages_that_carry_more_than_ids(source: Source) -> Iterator[str]:
    for call, name in _calls(source.tree):
        if name in ("delay", "apply_async", "signature") or (name == "send_task" and source.path != "tasks/relay.py"):
            yield _at(call, f"{name}: the relay sends, from rows")
    passed = {ast.unparse(each) for call, name in _calls(source.tree) if name == "task" for each in call.args}
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTION) and (node.name in passed or any(map(_is_task, node.decorator_list))):
            for argument in (*node.args.args, *node.args.kwonlyargs):
                told = ast.unparse(argument.annotation) if argument.annotation else "nothing"
                if told not in _TASK_ARGUMENTS:
                    yield _at(argument, f"{node.name} takes {argument.arg}: {told}")


def _is_task(decorator: ast.expr) -> bool:
    return "task" in ast.unparse(decorator).partition("(")[0].split(".")[-1]


# --- The rules hold ---------------------------------------------------------------------------------------------------


def test_every_time_has_a_zone() -> None:
    assert _broken(naive_times, _python()) == []


def test_money_never_meets_a_float() -> None:
    assert _broken(floats_near_money, _python(*SHIPPED)) == []


def test_only_the_database_module_commits() -> None:
    assert _broken(commits, _python(*SHIPPED)) == []


def test_only_the_settings_read_the_environment() -> None:
    # An example is a shop, with an environment of its own.
    ours = (source for source in _python() if source.folder != "examples")
    assert _broken(environment_reads, ours) == []


def test_each_status_has_one_writer() -> None:
    assert _broken(status_writes, _python(*SHIPPED)) == []


def test_every_module_is_named_for_what_it_holds() -> None:
    assert _broken(names_that_say_nothing, _python()) == []


def test_every_function_fits_a_screen() -> None:
    assert _broken(long_functions, _python(*SHIPPED, "sandbox")) == []


def test_every_silenced_warning_says_why() -> None:
    assert _broken(excuses_without_a_reason, _python()) == []


def test_every_test_runs() -> None:
    assert _broken(skipped_tests, _python("tests")) == []


def test_no_test_leans_on_another() -> None:
    assert _broken(imports_between_tests, _python("tests")) == []


def test_a_tests_name_is_one_sentence() -> None:
    assert _broken(names_longer_than_a_sentence, _python("tests")) == []


def test_no_constant_is_patched() -> None:
    assert _broken(patched_constants, _python("tests")) == []


def test_a_conftest_holds_fixtures_alone() -> None:
    assert _broken(conftests_that_hold_more_than_fixtures, _python("tests")) == []


def test_no_call_goes_out_while_a_transaction_is_open() -> None:
    assert _broken(calls_out_with_a_transaction_open, _python(*SHIPPED)) == []


def test_nothing_names_a_place_that_only_one_machine_has() -> None:
    assert _broken(places_of_one_machine, _files()) == []


def test_celery_messages_carry_ids_alone_and_only_the_relay_sends_them() -> None:
    assert _broken(messages_that_carry_more_than_ids, _python(*SHIPPED)) == []


# --- The rules can fail -----------------------------------------------------------------------------------------------

_IN_TRANSACTION = "def f(app):\n    with app.database.transaction() as session:\n        "


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (naive_times, "payproc/operations/clock.py", "datetime.utcnow()"),
        (naive_times, "payproc/operations/clock.py", "datetime.datetime.now()"),
        (naive_times, "payproc/operations/clock.py", "datetime.fromtimestamp(5)"),
        (floats_near_money, "payproc/domain/money.py", "x = float(amount)"),
        (floats_near_money, "payproc/providers/stripe/wire/checkout.py", "x = amount * 0.01"),
        (floats_near_money, "web/schemas/payments.py", "class A:\n    amount: float = Field(examples=[1.5])"),
        (floats_near_money, "web/api/payments.py", "SHARE = 0.05"),
        (commits, "payproc/records/orders.py", "session.commit()"),
        (environment_reads, "payproc/flows/poll.py", "x = os.environ['A']"),
        (environment_reads, "migrations/env.py", "x = os.getenv('A')"),
        (environment_reads, "web/app.py", "from os import environ"),
        (status_writes, "payproc/flows/start.py", "payment.status = 'failed'"),
        (status_writes, "payproc/records/orders.py", "payment.status = 'failed'"),
        (status_writes, "payproc/records/payments.py", "a, order.status = 1, 2"),
        (status_writes, "payproc/flows/start.py", "setattr(payment, 'status', 'failed')"),
        (status_writes, "payproc/flows/start.py", "session.execute(update(Payment).values(status='failed'))"),
        (status_writes, "payproc/flows/start.py", "Payment(status='completed')"),
        (status_writes, "payproc/records/payments.py", "refund.status = 'failed'"),
        (status_writes, "payproc/records/payments.py", "Refund(status='failed')"),
        (status_writes, "payproc/records/refunds.py", "session.execute(update(Dispute).values(status='won'))"),
        (status_writes, "payproc/flows/start.py", "SQL = 'UPDATE payments SET status = 1'"),
        (status_writes, "payproc/records/payments.py", "SQL = 'UPDATE payments SET status = 1'"),
        (status_writes, "payproc/flows/checkout.py", "SQL = 'INSERT INTO payments VALUES (1)'"),
        (names_that_say_nothing, "payproc/utils.py", ""),
        (names_that_say_nothing, "web/common/forms.py", ""),
        (names_that_say_nothing, "payproc/helper.py", ""),
        (long_functions, "payproc/x.py", "def f():\n" + "    a = 1\n" * 60),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # noqa"),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # noqa: E501"),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # noqa: E501, S105 -"),
        (excuses_without_a_reason, "payproc/x.py", "# ruff: noqa: SIM905"),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # type: ignore"),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # type: ignore[no-any-return]"),
        (skipped_tests, "tests/unit/test_x.py", "@pytest.mark.skipif(True)\ndef test(): ..."),
        (skipped_tests, "tests/unit/test_x.py", "def test():\n    pytest.skip('later')"),
        (skipped_tests, "tests/unit/test_x.py", "@pytest.mark.xfail\ndef test(): ..."),
        (imports_between_tests, "tests/web/test_x.py", "from tests.web.test_y import read"),
        (imports_between_tests, "tests/web/test_x.py", "from tests.web.conftest import Client"),
        (imports_between_tests, "tests/web/test_x.py", "from tests.faults.shop import Shop"),
        (names_longer_than_a_sentence, "tests/x.py", f"def test_{'and_' * 19}(): ..."),
        (patched_constants, "tests/x.py", "monkeypatch.setattr(schedule, '_SLICE', 0)"),
        (patched_constants, "tests/x.py", "monkeypatch.setattr('payproc.reconcile.schedule.MOST', 0)"),
        (conftests_that_hold_more_than_fixtures, "tests/web/conftest.py", "class World: ..."),
        (conftests_that_hold_more_than_fixtures, "tests/web/conftest.py", "def key_of(user): ..."),
        (calls_out_with_a_transaction_open, "payproc/x.py", _IN_TRANSACTION + "provider.start(call)"),
        (calls_out_with_a_transaction_open, "payproc/x.py", _IN_TRANSACTION + "x = server.post(message)"),
        (calls_out_with_a_transaction_open, "payproc/x.py", "def f(session):\n    return provider.inquire(ref)"),
        (places_of_one_machine, "docs/x.md", "see " + "/wo" + "rk/notes"),
        (places_of_one_machine, "Makefile", "uv pip install --index" + "-url x"),
        (places_of_one_machine, "requirements.in", "https://files.python" + "hosted.org/x"),
        (messages_that_carry_more_than_ids, "web/api/payments.py", "start.delay(payment.id)"),
        (messages_that_carry_more_than_ids, "web/api/payments.py", "celery.send_task('payment.start')"),
        (messages_that_carry_more_than_ids, "tasks/x.py", "@app.task(name='a')\ndef f(payment: Payment): ..."),
        (messages_that_carry_more_than_ids, "tasks/x.py", "@app.task\ndef f(amount): ..."),
        (messages_that_carry_more_than_ids, "tasks/x.py", "def f(amount): ...\napp.task(f, name='a')"),
    ],
)
def test_the_rule_catches(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (naive_times, "payproc/operations/clock.py", "datetime.now(UTC)"),
        (naive_times, "payproc/operations/clock.py", "datetime.fromtimestamp(5, UTC)"),
        (floats_near_money, "payproc/flows/poll.py", "x = 0.5"),
        (floats_near_money, "web/api/payments.py", "_LOOK_EVERY_SECONDS = 0.05"),
        (floats_near_money, "web/schemas/payments.py", "amount: int = Field(examples=[19.99])"),
        (environment_reads, "payproc/settings/__init__.py", "x = os.environ['A']"),
        (environment_reads, "web/x.py", "x = request.environ['HTTP_A']"),
        (status_writes, "payproc/records/payments.py", "payment.status = cell.to"),
        (status_writes, "payproc/records/payments.py", "SQL = 'INSERT INTO payments VALUES (1)'"),
        (status_writes, "payproc/records/orders.py", "order.status = found"),
        (status_writes, "payproc/flows/start.py", "if payment.status in OPEN: pass"),
        (names_that_say_nothing, "payproc/records/payments.py", ""),
        (long_functions, "payproc/x.py", "def f():\n" + "    a = 1\n" * 59),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # noqa: E501 (a grid is read by its columns)"),
        (excuses_without_a_reason, "payproc/x.py", "a = 1  # type: ignore[arg-type]  # wrong on purpose"),
        (excuses_without_a_reason, "payproc/x.py", "a = 'a # noqa in a text'"),
        (imports_between_tests, "tests/web/test_x.py", "from tests.support.world import World"),
        (imports_between_tests, "tests/web/console/test_x.py", "from tests.web.client import Client"),
        (imports_between_tests, "tests/web/test_x.py", "from tests.web.console.client import Client"),
        (names_longer_than_a_sentence, "tests/x.py", f"def test_{'x' * 75}(): ..."),
        (patched_constants, "tests/x.py", "monkeypatch.setattr(app, 'post', posted.append)"),
        (conftests_that_hold_more_than_fixtures, "tests/web/conftest.py", "@pytest.fixture\ndef client(): ..."),
        (calls_out_with_a_transaction_open, "payproc/x.py", _IN_TRANSACTION + "provider.prepare_start(request)"),
        (calls_out_with_a_transaction_open, "payproc/x.py", _IN_TRANSACTION + "pass\n    provider.start(call)"),
        (places_of_one_machine, "docs/x.md", "tests/" + "work/test_x.py"),
        (messages_that_carry_more_than_ids, "tasks/relay.py", "celery.send_task(kind.value, args=[ids])"),
        (messages_that_carry_more_than_ids, "tasks/x.py", "@app.task(name='a')\ndef f(jobs: Jobs) -> int: ..."),
    ],
)
def test_the_rule_lets_through(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []
