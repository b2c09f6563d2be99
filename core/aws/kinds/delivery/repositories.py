"""The kind `repositories`: CodeCommit's, with branches, their last commits and pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Item, Kind, Line, Section
from core.aws.kinds.shared import found
from core.aws.partial import section, side_by_side
from core.aws.words import epoch, last_of, short

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 25
MOST_BRANCHES = 20
MOST_REQUESTS = 20
SHORT = 8


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("codecommit", "list_repositories"):
        names = [each["repositoryName"] for each in page.get("repositories", ())]
        for first in range(0, len(names), AT_ONCE):
            part = names[first : first + AT_ONCE]
            told = account.call("codecommit", "batch_get_repositories", repositoryNames=part)
            yield tuple(_item(each) for each in told.get("repositories", ()))


def _item(told: Mapping[str, Any]) -> Item:
    return Item(
        id=told["repositoryName"],
        cells=(
            told["repositoryName"],
            told.get("defaultBranch", "empty"),
            short(told.get("repositoryDescription", "")),
        ),
        changed=epoch(told.get("lastModifiedDate")),
        raw=told,
    )


def _shown(account: Account, name: str) -> Detail:
    told = account.call("codecommit", "get_repository", repositoryName=name)["repositoryMetadata"]
    about = Section(
        "Repository",
        (
            *found("about", told.get("repositoryDescription")),
            ("branch", told.get("defaultBranch", "none yet")),
            ("clone", told.get("cloneUrlHttp", "")),
            ("or", told.get("cloneUrlSsh", "")),
            *found("encryption", told.get("kmsKeyId")),
        ),
    )
    sections = (
        about,
        section("Branches", lambda: _branches(account, name, told.get("defaultBranch", ""))),
        section("Open pull requests", lambda: _requests(account, name)),
    )
    return Detail(name, sections=sections, item=_item(told), raw=told)


def _branches(account: Account, name: str, first: str) -> Section:
    names = [
        each
        for page in account.pages("codecommit", "list_branches", repositoryName=name)
        for each in page.get("branches", ())
    ]
    names.sort(key=lambda each: (each != first, each))

    def reading(branch: str) -> Any:
        return lambda: (branch, _tip(account, name, branch))

    tips = side_by_side([reading(each) for each in names[:MOST_BRANCHES]])
    more = len(names) - MOST_BRANCHES
    lines: tuple[Line, ...] = tuple(tips)
    return Section("Branches", (*lines, *((f"and {more} more",) if more > 0 else ())) or ("none",))


def _tip(account: Account, name: str, branch: str) -> str:
    """A branch's last commit on a line."""
    tip = account.call("codecommit", "get_branch", repositoryName=name, branchName=branch)
    commit = tip["branch"]["commitId"]
    told = account.call("codecommit", "get_commit", repositoryName=name, commitId=commit)["commit"]
    author = told.get("author") or {}
    date = str(author.get("date", ""))
    return f"{commit[:SHORT]}  {short(told.get('message', ''), 80)}  {author.get('name', '')}" + (
        f"  {_when(date)}" if date else ""
    )


def _when(date: str) -> str:
    """CodeCommit's date (epoch seconds and an offset) as people write it."""
    from core.aws.words import clock

    seconds = date.split()[0]
    return clock(float(seconds)) if seconds.isdecimal() else date


def _requests(account: Account, name: str) -> Section:
    ids = [
        each
        for page in account.pages(
            "codecommit", "list_pull_requests", repositoryName=name, pullRequestStatus="OPEN"
        )
        for each in page.get("pullRequestIds", ())
    ]

    def reading(id: str) -> Any:
        return lambda: _request(account, id)

    lines: tuple[Line, ...] = tuple(side_by_side([reading(each) for each in ids[:MOST_REQUESTS]]))
    return Section("Open pull requests", lines or ("none",))


def _request(account: Account, id: str) -> tuple[str, str]:
    told = account.call("codecommit", "get_pull_request", pullRequestId=id)["pullRequest"]
    targets = ", ".join(
        f"{each.get('sourceReference', '').removeprefix('refs/heads/')} → "
        f"{each.get('destinationReference', '').removeprefix('refs/heads/')}"
        for each in told.get("pullRequestTargets", ())
    )
    author = last_of(told.get("authorArn", ""))
    return (f"#{id}", f"{short(told.get('title', ''), 80)}  {targets}  {author}".rstrip())


KIND = Kind(
    name="repositories",
    title="CodeCommit",
    service="codecommit",
    about="repositories with branches and pull requests",
    columns=(
        Column("REPOSITORY", 20, grow=1),
        Column("BRANCH", 12),
        Column("ABOUT", 16, grow=2, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "codecommit:ListRepositories",
        "codecommit:BatchGetRepositories",
        "codecommit:GetRepository",
        "codecommit:ListBranches",
        "codecommit:GetBranch",
        "codecommit:GetCommit",
        "codecommit:ListPullRequests",
        "codecommit:GetPullRequest",
    ),
    every=30.0,
)
