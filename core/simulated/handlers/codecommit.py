"""CodeCommit: branches, commits of files, pull requests. Repositories are moto's.

Commits and blobs are named by the hash of their content, as git does it, though not by git's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, with_token
from core.simulated.registry import operation
from core.simulated.state import Call, State

MOST_NAMED = 25


@dataclass
class Repository:
    """What is in a repository: commits by id, branches by name, the default one."""

    commits: dict[str, dict[str, Any]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    trees: dict[str, dict[str, str]] = field(default_factory=dict)
    default: str = ""
    changed: float = 0.0


def _made(state: State) -> dict[str, Repository]:
    found: dict[str, Repository] = state.table("codecommit.repositories")
    return found


def repository_of(state: State, name: str) -> Repository:
    """A repository that moto knows; its Fault where there is none."""
    state.moto("codecommit", "GetRepository", repositoryName=name)
    return _made(state).setdefault(name, Repository())


@operation("codecommit", "CreateRepository")
def create(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    _made(state)[call.params["repositoryName"]] = Repository(changed=state.now)
    return answer


@operation("codecommit", "DeleteRepository")
def delete(state: State, call: Call) -> dict[str, Any]:
    _made(state).pop(call.params["repositoryName"], None)
    return call.moto()


@operation("codecommit", "GetRepository")
def get(state: State, call: Call) -> dict[str, Any]:
    return {"repositoryMetadata": _metadata(state, call.params["repositoryName"])}


def _metadata(state: State, name: str) -> dict[str, Any]:
    told = dict(
        state.moto("codecommit", "GetRepository", repositoryName=name)["repositoryMetadata"]
    )
    found = repository_of(state, name)
    if found.default:
        told["defaultBranch"] = found.default
    if found.changed:
        told["lastModifiedDate"] = found.changed
    return told


@operation("codecommit", "BatchGetRepositories")
def get_several(state: State, call: Call) -> dict[str, Any]:
    names = list(call.params["repositoryNames"])
    if len(names) > MOST_NAMED:
        raise Fault(
            "MaximumRepositoryNamesExceededException",
            f"The maximum number of repository names is {MOST_NAMED}",
            400,
        )
    known = _made(state)
    return {
        "repositories": [_metadata(state, each) for each in names if each in known],
        "repositoriesNotFound": [each for each in names if each not in known],
    }


@operation("codecommit", "ListRepositories")
def listed(state: State, call: Call) -> dict[str, Any]:
    names = sorted(_made(state))
    some, token = page(names, call.params.get("nextToken"), None)
    rows = [
        {"repositoryName": each, "repositoryId": _metadata(state, each)["repositoryId"]}
        for each in some
    ]
    return with_token({"repositories": rows}, token)


# -- branches and commits


@operation("codecommit", "ListBranches")
def branches(state: State, call: Call) -> dict[str, Any]:
    found = repository_of(state, call.params["repositoryName"])
    some, token = page(sorted(found.branches), call.params.get("nextToken"), None)
    return with_token({"branches": some}, token)


def _tip(found: Repository, branch: str) -> str:
    if branch not in found.branches:
        raise Fault("BranchDoesNotExistException", f"{branch} does not exist", 400)
    return found.branches[branch]


def _commit(found: Repository, ident: str) -> dict[str, Any]:
    if ident not in found.commits:
        raise Fault("CommitIdDoesNotExistException", f"{ident} does not exist", 400)
    return found.commits[ident]


@operation("codecommit", "GetBranch")
def branch(state: State, call: Call) -> dict[str, Any]:
    name = call.params.get("branchName", "")
    found = repository_of(state, call.params.get("repositoryName", ""))
    return {"branch": {"branchName": name, "commitId": _tip(found, name)}}


@operation("codecommit", "CreateBranch")
def create_branch(state: State, call: Call) -> dict[str, Any]:
    name = call.params["branchName"]
    found = repository_of(state, call.params["repositoryName"])
    if name in found.branches:
        raise Fault("BranchNameExistsException", f"{name} already exists", 400)
    _commit(found, call.params["commitId"])
    found.branches[name] = call.params["commitId"]
    return {}


@operation("codecommit", "GetCommit")
def commit(state: State, call: Call) -> dict[str, Any]:
    found = repository_of(state, call.params["repositoryName"])
    return {"commit": _commit(found, call.params["commitId"])}


@operation("codecommit", "CreateCommit")
def create_commit(state: State, call: Call) -> dict[str, Any]:
    asked = call.params
    found = repository_of(state, asked["repositoryName"])
    parent = found.branches.get(asked["branchName"], "")
    if parent and not asked.get("parentCommitId"):
        raise Fault("ParentCommitIdRequiredException", "A parent commit ID is required", 400)
    if parent != asked.get("parentCommitId", ""):
        raise Fault(
            "ParentCommitIdOutdatedException", "The parent commit is not the branch's tip", 400
        )
    before = found.trees.get(found.commits[parent]["treeId"], {}) if parent else {}
    files, changed = dict(before), _changed(before, asked)
    for each in changed["filesAdded"] + changed["filesUpdated"]:
        files[each["absolutePath"]] = each["blobId"]
    for each in changed["filesDeleted"]:
        del files[each["absolutePath"]]
    if files == before:
        raise Fault("NoChangeException", "The commit changes nothing", 400)
    tree = _hash(json.dumps(files, sort_keys=True).encode())
    found.trees[tree] = files
    author = {
        "name": asked.get("authorName", ""),
        "email": asked.get("email", ""),
        "date": f"{int(state.now)} +0000",
    }
    made: dict[str, Any] = {
        "treeId": tree,
        "parents": [parent] if parent else [],
        "message": asked.get("commitMessage", ""),
        "author": author,
        "committer": author,
        "additionalData": "",
    }
    ident = made["commitId"] = _hash(json.dumps(made, sort_keys=True).encode())
    found.commits[ident] = made
    found.branches[asked["branchName"]] = ident
    found.default, found.changed = found.default or asked["branchName"], state.now
    return {"commitId": ident, "treeId": tree, **changed}


def _changed(before: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"filesAdded": [], "filesUpdated": [], "filesDeleted": []}
    for each in asked.get("putFiles", ()):
        path, blob = each["filePath"].lstrip("/"), _hash(each.get("fileContent") or b"")
        row = {"absolutePath": path, "blobId": blob, "fileMode": each.get("fileMode", "NORMAL")}
        told["filesUpdated" if path in before else "filesAdded"].append(row)
    for each in asked.get("deleteFiles", ()):
        path = each["filePath"].lstrip("/")
        if path not in before:
            raise Fault("FileDoesNotExistException", f"{path} does not exist", 400)
        told["filesDeleted"].append({"absolutePath": path, "blobId": before[path]})
    return told


def _hash(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


# -- pull requests


def _requests(state: State) -> dict[str, dict[str, Any]]:
    return state.table("codecommit.requests")


@operation("codecommit", "CreatePullRequest")
def create_request(state: State, call: Call) -> dict[str, Any]:
    targets = []
    for each in call.params["targets"]:
        found = repository_of(state, each["repositoryName"])
        source = each["sourceReference"].removeprefix("refs/heads/")
        into = each.get("destinationReference", "").removeprefix("refs/heads/") or found.default
        targets.append(
            {
                "repositoryName": each["repositoryName"],
                "sourceReference": f"refs/heads/{source}",
                "destinationReference": f"refs/heads/{into}",
                "sourceCommit": _tip(found, source),
                "destinationCommit": _tip(found, into),
                "mergeMetadata": {"isMerged": False},
            }
        )
    number = str(len(_requests(state)) + 1)
    made = {
        "pullRequestId": number,
        "title": call.params["title"],
        "description": call.params.get("description", ""),
        "lastActivityDate": state.now,
        "creationDate": state.now,
        "pullRequestStatus": "OPEN",
        "authorArn": call.caller or state.arn("iam", "user/simulated"),
        "pullRequestTargets": targets,
        "approvalRules": [],
    }
    _requests(state)[number] = made
    return {"pullRequest": made}


def _request(state: State, number: str) -> dict[str, Any]:
    if number not in _requests(state):
        raise Fault("PullRequestDoesNotExistException", f"{number} does not exist", 400)
    found: dict[str, Any] = _requests(state)[number]
    return found


@operation("codecommit", "GetPullRequest")
def get_request(state: State, call: Call) -> dict[str, Any]:
    return {"pullRequest": _request(state, call.params["pullRequestId"])}


@operation("codecommit", "UpdatePullRequestStatus")
def close_request(state: State, call: Call) -> dict[str, Any]:
    found = _request(state, call.params["pullRequestId"])
    if found["pullRequestStatus"] == "CLOSED":
        raise Fault("PullRequestAlreadyClosedException", "The pull request is closed", 400)
    found |= {
        "pullRequestStatus": call.params["pullRequestStatus"],
        "lastActivityDate": state.now,
    }
    return {"pullRequest": found}


@operation("codecommit", "ListPullRequests")
def requests(state: State, call: Call) -> dict[str, Any]:
    name, status = call.params["repositoryName"], call.params.get("pullRequestStatus")
    repository_of(state, name)
    found = [
        number
        for number, each in reversed(_requests(state).items())
        if any(target["repositoryName"] == name for target in each["pullRequestTargets"])
        and status in (None, each["pullRequestStatus"])
    ]
    some, token = page(found, call.params.get("nextToken"), call.params.get("maxResults"))
    return with_token({"pullRequestIds": some}, token)
