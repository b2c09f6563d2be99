"""Secrets that are seen, and code that isn't taken for one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.lineage import redact_secrets, strip_credentials

S = "Zq8vT2mKx4Lw"  # what must not be left


@pytest.mark.parametrize(
    "text",
    [
        f'+password = "{S}"',
        f"+DB_PASSWORD={S}",
        f"  password: {S}",
        f'"api_key": "{S}"',
        f'+    token: str = "{S}",',
        f"aws_secret_access_key = {S}/abc+DEF=",
        f"client(secret='{S}', region='x')",
        f"-SLACK_TOKEN=xoxb-12345-{S}",
        f"Authorization: Bearer {S}abcdef",
        f"postgresql://user:{S}@db.localhost/x",
        f"https://{S}@git.localhost/repo.git",
        f"ghp_{S}{S}",
        f"hf_{S}{S}",
        f"eyJhbGciOiJI.eyJzdWIiOiIx.{S}",
        f"+-----BEGIN RSA PRIVATE KEY-----\n+{S}\n+-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{S} (cut off)",
    ],
)
def test_taken_out(text: str) -> None:
    redacted = redact_secrets(text)
    assert S not in redacted
    assert "[redacted]" in redacted
    assert redacted.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "tokens = tokenizer(text)",
        "max_tokens = 4096",
        "def login(password: str, token: str | None = None) -> None:",
        'secret = os.environ["SECRET"]',
        "password = get_password(user)",
        "url = 'https://git.localhost/team/repo.git'",
        "+depth = 4",
        "index 83db48f..bf269f4 100644",
    ],
)
def test_left_as_it_is(text: str) -> None:
    assert redact_secrets(text) == text


@given(st.text(max_size=300))
def test_doing_it_twice_changes_nothing_more(text: str) -> None:
    once = redact_secrets(text)
    assert once.count("\n") == text.count("\n")
    assert redact_secrets(once) == once


@pytest.mark.parametrize("part", ["a", "a.", "secret", "token: a ", "x://", "eyJ-", "token=", "@"])
def test_a_line_of_a_megabyte_takes_no_minutes(part: str) -> None:
    start = time.process_time()
    redact_secrets(part * (1_000_000 // len(part)))
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@h:8080/a/b.git", "https://h:8080/a/b.git"),
        ("https://token@h/a", "https://h/a"),
        ("https://h/a?private_token=x#y", "https://h/a"),
        ("ssh://git@h/a", "ssh://h/a"),
        ("git@h:a/b.git", "git@h:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_remote_urls(url: str, expected: str) -> None:
    assert strip_credentials(url) == expected
