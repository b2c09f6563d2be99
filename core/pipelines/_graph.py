"""Order the steps, or name the circles that make it impossible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def topological_order(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The steps with every need before its user, and the cycles found (without repeats).

    Among steps that could come next the file's order is kept. A cycle lists its steps in the
    direction of the work, beginning with the one that is first in the file; then the steps in
    or behind a cycle are missing from the order. Needs that aren't keys are ignored.
    """
    order: list[str] = []
    cycles: list[list[str]] = []
    left = dict.fromkeys(needs)
    done: set[str] = set()
    while left:
        # One at a time, so that a file in a valid order keeps it exactly.
        ready = (n for n in left if all(need in done or need not in needs for need in needs[n]))
        first = next(ready, None)
        if first is not None:
            order.append(first)
            done.add(first)
            del left[first]
            continue
        cycle = _some_cycle(needs, left)
        cycles.append(cycle)
        for name in cycle:  # look for further cycles as if this one were mended
            done.add(name)
            del left[name]
    if cycles:
        order = [name for name in order if not _behind(name, needs, cycles)]
    return order, cycles


def _some_cycle(needs: Mapping[str, Sequence[str]], left: Mapping[str, None]) -> list[str]:
    """One cycle among `left`, each of which needs another of `left`."""
    walked: dict[str, int] = {}
    here = next(iter(left))
    while here not in walked:
        walked[here] = len(walked)
        here = next(need for need in needs[here] if need in left)
    members = list(walked)[walked[here] :]
    members.reverse()  # needs point backwards; the work goes the other way
    first = min(members, key=list(needs).index)
    start = members.index(first)
    return members[start:] + members[:start]


def _behind(name: str, needs: Mapping[str, Sequence[str]], cycles: list[list[str]]) -> bool:
    """Whether `name` is in a cycle or waits, however indirectly, for one."""
    bad = {each for cycle in cycles for each in cycle}
    waiting, seen = [name], set()
    while waiting:
        here = waiting.pop()
        if here in bad:
            return True
        if here not in seen:
            seen.add(here)
            waiting.extend(need for need in needs[here] if need in needs)
    return False
