"""The kind `lf-permissions`: who may do what with which table, by Lake Formation.

An id is everything that identifies a permission, as JSON without spaces: principal and resource
in AWS's own words. Granting and revoking say beforehand what the principal may do then, also by
way of the group IAMAllowedPrincipals, which lets IAM alone decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.shared import needed
from core.aws.words import epoch, last_of
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
PERMISSIONS = (
    "SELECT", "INSERT", "DELETE", "DESCRIBE", "ALTER", "DROP", "CREATE_TABLE", "CREATE_DATABASE",
    "DATA_LOCATION_ACCESS", "ASSOCIATE", "ALL",
)  # fmt: skip


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("lakeformation", "list_permissions"):
        yield tuple(_item(each) for each in page.get("PrincipalResourcePermissions", ()))


def id_of(principal: str, resource: Mapping[str, Any]) -> str:
    """What identifies a permission."""
    whole = {"principal": principal, "resource": resource}
    return json.dumps(whole, separators=(",", ":"), sort_keys=True)


def parted(id: str) -> tuple[str, dict[str, Any]]:
    """Principal and resource of an id; raises `BadInput`."""
    try:
        read = json.loads(id)
        return str(read["principal"]), dict(read["resource"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{id}: is no permission", "take an id that the list shows") from error


def words(resource: Mapping[str, Any]) -> str:
    """A resource as people write it: `rentals.hours(cnt, hr)`, `tag pii=yes`, `s3://…`."""
    for key, value in resource.items():
        if key == "Catalog":
            return "the catalogue"
        if key == "Database":
            return str(value.get("Name", ""))
        if key == "Table":
            return f"{value.get('DatabaseName')}.{value.get('Name') or '*'}"
        if key == "TableWithColumns":
            names = ", ".join(value.get("ColumnNames", ()))
            but = (value.get("ColumnWildcard") or {}).get("ExcludedColumnNames", ())
            shown = names or (f"all but {', '.join(but)}" if but else "*")
            return f"{value.get('DatabaseName')}.{value.get('Name')}({shown})"
        if key == "DataLocation":
            return str(value.get("ResourceArn", "")).replace("arn:aws:s3:::", "s3://")
        if key == "LFTag":
            return f"tag {value.get('TagKey')}={'|'.join(value.get('TagValues', ()))}"
        if key == "LFTagPolicy":
            tags = " and ".join(
                f"{each['TagKey']}={'|'.join(each['TagValues'])}" for each in value["Expression"]
            )
            return f"{value.get('ResourceType', '').lower()}s tagged {tags}"
        return f"{key} {value}"
    return ""


def _item(permission: Mapping[str, Any]) -> Item:
    principal = permission["Principal"]["DataLakePrincipalIdentifier"]
    resource = permission["Resource"]
    everybody = principal == EVERYBODY
    return Item(
        id=id_of(principal, resource),
        cells=(
            "everybody that IAM lets" if everybody else last_of(principal),
            words(resource),
            ", ".join(permission.get("Permissions", ())),
            ", ".join(permission.get("PermissionsWithGrantOption", ())),
        ),
        tone="wait" if everybody else "",
        changed=epoch(permission.get("LastUpdated")),
        raw=permission,
    )


def _of(account: Account, principal: str, resource: Mapping[str, Any]) -> dict[str, Any]:
    """The permission as it stands now; empty where there is none."""
    for page in account.pages("lakeformation", "list_permissions", Resource=dict(resource)):
        for each in page.get("PrincipalResourcePermissions", ()):
            if each["Principal"]["DataLakePrincipalIdentifier"] == principal:
                return dict(each)
    return {}


def _shown(account: Account, id: str) -> Detail:
    principal, resource = parted(id)
    now = _of(account, principal, resource)
    lines = (
        ("who", "everybody that IAM lets" if principal == EVERYBODY else principal),
        ("on", words(resource)),
        ("may", ", ".join(now.get("Permissions", ())) or "nothing (any more)"),
        ("may hand on", ", ".join(now.get("PermissionsWithGrantOption", ())) or "nothing"),
    )
    others = [
        (_item(each).cells[0], _item(each).cells[2])
        for page in account.pages("lakeformation", "list_permissions", Resource=resource)
        for each in page.get("PrincipalResourcePermissions", ())
        if each["Principal"]["DataLakePrincipalIdentifier"] != principal
    ]
    sections = (Section("Permission", lines), Section("Who else", tuple(others) or ("nobody",)))
    return Detail(f"{last_of(principal)} on {words(resource)}", sections=sections,
                  item=_item(now) if now else None, raw=now)  # fmt: skip


def _chosen(values: Mapping[str, str], name: str = "permissions") -> list[str]:
    chosen = [each.strip().upper() for each in needed(values, name).split(",") if each.strip()]
    for each in chosen:
        if each not in PERMISSIONS:
            raise BadInput(f"{name}={each}: is no permission", ", ".join(PERMISSIONS))
    return chosen


def resource_of(text: str) -> dict[str, Any]:
    """`database`, `database.table`, `database.table(a, b)` or `s3://…` in AWS's words; raises
    `BadInput`."""
    text = text.strip()
    if text.startswith("s3://"):
        return {"DataLocation": {"ResourceArn": f"arn:aws:s3:::{text.removeprefix('s3://')}"}}
    place, bracket, inside = text.partition("(")
    database, point, table = place.strip().partition(".")
    if not database or (bracket and not (point and inside.endswith(")"))):
        raise BadInput(
            f"{text}: is no resource", "write database, database.table or db.table(a, b)"
        )
    if not point:
        return {"Database": {"Name": database}}
    if bracket:
        names = [each.strip() for each in inside[:-1].split(",") if each.strip()]
        if not names:
            raise BadInput(f"{text}: names no column", "for example db.table(a, b)")
        whole = {"DatabaseName": database, "Name": table, "ColumnNames": names}
        return {"TableWithColumns": whole}
    if table == "*":
        return {"Table": {"DatabaseName": database, "TableWildcard": {}}}
    return {"Table": {"DatabaseName": database, "Name": table}}


def _grant(account: Account, _id: str, values: Mapping[str, str]) -> str:
    principal, resource = needed(values, "principal"), resource_of(needed(values, "on"))
    chosen = _chosen(values)
    account.call(
        "lakeformation", "grant_permissions", Resource=resource, Permissions=chosen,
        Principal={"DataLakePrincipalIdentifier": principal},
    )  # fmt: skip
    return f"{last_of(principal)} may {', '.join(chosen)} on {words(resource)}"


def _grant_consequence(account: Account, _id: str, values: Mapping[str, str]) -> tuple[str, ...]:
    principal, resource = needed(values, "principal"), resource_of(needed(values, "on"))
    chosen = _chosen(values)
    now = _of(account, principal, resource).get("Permissions", [])
    new = [each for each in chosen if each not in now]
    lines = [f"{principal} on {words(resource)}: may {', '.join(now) or 'nothing'} now"]
    lines.append(f"may then also {', '.join(new)}" if new else "nothing changes: it may already")
    return (*lines, *_by_iam(account, resource))


def _revoke(account: Account, id: str, values: Mapping[str, str]) -> str:
    principal, resource = parted(id)
    chosen = _chosen(values)
    account.call(
        "lakeformation", "revoke_permissions", Resource=resource, Permissions=chosen,
        Principal={"DataLakePrincipalIdentifier": principal},
    )  # fmt: skip
    return f"{last_of(principal)} may no longer {', '.join(chosen)} on {words(resource)}"


def _revoke_consequence(account: Account, id: str, values: Mapping[str, str]) -> tuple[str, ...]:
    principal, resource = parted(id)
    now = _of(account, principal, resource).get("Permissions", [])
    chosen = _chosen(values)
    left = [each for each in now if each not in chosen]
    lost = [each for each in chosen if each in now]
    return (
        f"{principal} on {words(resource)}: loses {', '.join(lost) or 'nothing, it has none'}",
        f"may still {', '.join(left)}" if left else "may nothing there then",
        *_by_iam(account, resource, but=principal),
    )


def _by_iam(account: Account, resource: Mapping[str, Any], but: str = "") -> tuple[str, ...]:
    """A line where IAM alone decides about the resource: then Lake Formation withholds nothing."""
    if but == EVERYBODY:
        return ("from then on Lake Formation decides: who has no grant of its own loses the table",)
    if _of(account, EVERYBODY, resource):
        return ("IAMAllowedPrincipals is granted here: whoever IAM lets may read it all the same",)
    return ()


FIELD = Field("permissions", "permissions (several by comma)", "SELECT", required=True)
KIND = Kind(
    name="lf-permissions",
    title="Permissions",
    service="lakeformation",
    about="Lake Formation: who may read what",
    columns=(
        Column("WHO", 22, grow=1),
        Column("ON", 24, grow=2),
        Column("MAY", 16, grow=1),
        Column("HANDS ON", 12, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=("lakeformation:ListPermissions",),
    verbs=(
        Verb(
            name="revoke", key="x", label="Revoke", help="take permissions away",
            operations=("lakeformation:RevokePermissions",), do=_revoke,
            consequence=_revoke_consequence, fields=(FIELD,), dangerous=True,
        ),
    ),
    create=(
        Verb(
            name="grant", key="n", label="Grant", help="let somebody read or change",
            operations=("lakeformation:GrantPermissions",), do=_grant,
            consequence=_grant_consequence,
            fields=(
                Field("principal", "ARN of role or user", required=True),
                Field("on", "database, database.table, db.table(a, b) or s3://…", required=True),
                FIELD,
            ),
            dangerous=True,
        ),
    ),
    every=30.0,
)  # fmt: skip
