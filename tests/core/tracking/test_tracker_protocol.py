"""The tracker's protocol: whatever comes in, one answer a line, and nothing else comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.tracking.tracker import OPS, Session, answer, serve
from core.tracking.tracker_client import TRACKER_SCRIPT

PING = b'{"id": "last", "op": "ping"}'
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
# "init" with arguments would open a store somewhere.
ops = st.sampled_from(sorted(OPS - {"init"})) | st.text(max_size=10)
requests = st.fixed_dictionaries(
    {}, optional={"id": json_values, "op": ops | json_values, "args": json_values}
).map(lambda request: json.dumps(request).encode())
junk = st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" "))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests | junk)
@example(b"[]")
@example(b'{"id": 1, "op": "_open", "args": {}}')
@example(b'{"id": 1, "op": "__init__", "args": {}}')
@example(b"[" * 100_000)
def test_any_line_gets_an_answer(line: bytes) -> None:
    reply = answer(Session(), line)
    json.dumps(reply)
    if reply["ok"]:
        assert json.loads(line)["op"] == "ping"
    else:
        assert set(reply["error"]) == {"type", "code", "message"}
        assert "\n" not in reply["error"]["message"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests | junk, max_size=8))
def test_answers_come_in_order_whatever_is_between(lines: list[bytes]) -> None:
    to_tracker, from_us = os.pipe()
    from_tracker, to_us = os.pipe()
    thread = threading.Thread(target=serve, args=(to_tracker, to_us))
    thread.start()
    with os.fdopen(from_us, "wb") as requests_out:
        requests_out.write(b"\n".join([*lines, PING]))
    with os.fdopen(from_tracker, "rb") as answers:
        replies: list[dict[str, Any]] = [json.loads(line) for line in answers]
    thread.join(10)
    assert len(replies) == sum(1 for line in lines if line.strip()) + 1
    assert replies[-1]["id"] == "last"
    assert replies[-1]["ok"] is True


def test_run_by_path_it_keeps_its_output_clean_and_ends_with_its_input() -> None:
    # As a bare script with no path to our packages: it must need none of them.
    code = (
        f"import sys, runpy; sys.argv = [{str(TRACKER_SCRIPT)!r}]\n"
        "import json; dumps = json.dumps\n"
        "def noisy(*a, **k):\n    print('noise from a library'); return dumps(*a, **k)\n"
        "json.dumps = noisy\n"
        f"runpy.run_path({str(TRACKER_SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        input=PING + b"\n" + b"not json\n",
        capture_output=True,
        timeout=30,
        check=True,
    )
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert (first["id"], first["ok"]) == ("last", True)
    assert (second["id"], second["ok"]) == (None, False)
    assert b"noise" in done.stderr
