"""Taking obvious secrets out of text that is kept: diffs, remote URLs."""

from __future__ import annotations

import re
import urllib.parse

REDACTED = "[redacted]"

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_URL_CREDENTIALS = re.compile(r"(?P<head>\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/@'\"]{1,300}@")
_TOKENS = re.compile(
    r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"  # AWS access key and principal ids
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\b[sr]k_live_[A-Za-z0-9]{16,}|\bhf_[A-Za-z0-9]{20,}"
    r"|\bAIza[A-Za-z0-9_-]{35}|\bdapi[a-f0-9]{32}"
    r"|\beyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]*"  # a JWT
)
_BEARER = re.compile(r"(?P<head>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{12,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    # Every repetition is bounded or possessive: a diff may hold a line of a megabyte.
    r"(?P<head>(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|credentials?)[A-Za-z0-9_.-]{0,40}[\"']?"
    r"(?:[ \t]{0,4}:[ \t]{0,4}[A-Za-z_][\w.\[\]| ]{0,60}?(?=[ \t]{0,4}=))?"  # an annotation
    r"[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}[rbfuRBFU]{0,2})"
    # Without quotes, what is called, indexed or continued is code and not a value.
    r"(?P<value>\"[^\"\n]{1,4000}\"|'[^'\n]{1,4000}'|[^\s\"',;#()\[\]{}]{4,4000}+(?![(\[{]))",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(
    # What stands for a value rather than being one: annotations, references, switches, numbers.
    r"(?:str|int|float|bool|bytes|none|null|true|false|any|optional|self|\$.*|os\.environ.*|"
    r"os\.getenv.*|settings\..*|config\..*|args\..*|\d{1,6})",
    re.IGNORECASE,
)


def redact_secrets(text: str) -> str:
    """`text` with what looks like a secret replaced by `[redacted]`; line count is kept.

    Known token shapes (AWS, GitHub, GitLab, Slack, JWT and the like), private key blocks,
    credentials in URLs, bearer headers, and values given to names such as `password`,
    `secret`, `token`, `api_key`. It errs towards taking away too much, and can't know a
    secret that looks like nothing.
    """
    text = _KEY_BLOCK.sub(lambda match: REDACTED + "\n" * match[0].count("\n"), text)
    text = _URL_CREDENTIALS.sub(rf"\g<head>{REDACTED}@", text)
    text = _TOKENS.sub(REDACTED, text)
    text = _BEARER.sub(rf"\g<head>{REDACTED}", text)
    return _ASSIGNED.sub(_redact_assignment, text)


def strip_credentials(url: str) -> str:
    """A remote's URL without user, password, query and fragment; other forms as they are.

    The `git@host:path` form keeps its user name, which is no secret.
    """
    if "://" not in url:
        return url
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def _redact_assignment(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'" else ""
    if REDACTED in value or (not quote and _NOT_SECRET.fullmatch(value)):
        return match[0]
    return f"{match['head']}{quote}{REDACTED}{quote}"
