"""What an object must be before it is stored: defaults for what nobody said, and Kubernetes' checks with its words.

Sources: apimachinery validation, kubernetes/pkg/apis/coordination and core validation; seen on kube-apiserver 1.20.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from raft_lab.kube.errors import Cause, forbidden, invalid, invalid_value, required
from raft_lab.kube.objects import Kind
from raft_lab.kube.requests import Object

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = rf"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

BAD_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
BAD_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
BAD_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
BAD_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
BAD_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
MEBIBYTE = 1 << 20
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def with_defaults(kind: Kind, thing: Object) -> Object:
    """The object with what Kubernetes adds where nobody said anything."""
    match kind.name:
        case "Endpoints":
            return {**thing, "subsets": [_with_protocol(subset) for subset in thing.get("subsets", ())]}
        case "Namespace":
            labels = {**thing["metadata"].get("labels", {}), NAMESPACE_LABEL: thing["metadata"].get("name", "")}
            meta = {**thing["metadata"], "labels": labels}
            return {**thing, "metadata": meta, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    return thing


def _with_protocol(subset: dict[str, Any]) -> dict[str, Any]:
    return {**subset, "ports": [{**port, "protocol": port.get("protocol", "TCP")} for port in subset.get("ports", ())]}


def validate(kind: Kind, thing: Object, before: Object | None = None) -> None:
    """Refuse what makes no sense.

    Args:
        kind: the object's kind.
        thing: the object in canonical form.
        before: what it replaces, if anything.

    Raises:
        ApiError: 422, with all that is wrong.
    """
    causes = [*_metadata(kind, thing["metadata"]), *(_RULES[kind.name](thing) if kind.name in _RULES else ())]
    if before is not None and kind.name == "ConfigMap":
        causes += _immutable(thing, before)
    if causes:
        raise invalid(kind.group, kind.name, thing["metadata"].get("name", ""), causes)


def _matches(pattern: str, text: str, longest: int) -> bool:
    return len(text) <= longest and re.fullmatch(pattern, text) is not None


def _metadata(kind: Kind, meta: dict[str, Any]) -> Iterator[Cause]:
    name = meta.get("name", "")
    longest, pattern, why = (63, _LABEL, BAD_LABEL) if kind.name == "Namespace" else (253, _SUBDOMAIN, BAD_SUBDOMAIN)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif len(name) > longest:
        yield invalid_value("metadata.name", name, f"must be no more than {longest} characters")
    elif not re.fullmatch(pattern, name):
        yield invalid_value("metadata.name", name, why)
    if kind.namespaced and not meta.get("namespace"):
        yield required("metadata.namespace")
    for label, value in meta.get("labels", {}).items():
        yield from _qualified_name("metadata.labels", label)
        if not _matches(_LABEL_VALUE, value, 63):
            why = BAD_LABEL_VALUE if len(value) <= 63 else "must be no more than 63 characters"
            yield invalid_value("metadata.labels", value, why)
    annotations = meta.get("annotations", {})
    for annotation in annotations:
        yield from _qualified_name("metadata.annotations", annotation.lower())
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MEBIBYTE // 4:
        yield Cause("FieldValueTooLong", "metadata.annotations", "Too long: must have at most 262144 bytes")
    for place, owner in enumerate(meta.get("ownerReferences", ())):
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield invalid_value(f"metadata.ownerReferences[{place}].{part}", "", f"{part} must not be empty")


def _qualified_name(path: str, text: str) -> Iterator[Cause]:
    prefix, slash, name = text.rpartition("/")
    if (slash and not _matches(_SUBDOMAIN, prefix, 253)) or not _matches(_QUALIFIED, name, 63):
        yield invalid_value(path, text, BAD_QUALIFIED)


def _lease(lease: Object) -> Iterator[Cause]:
    spec = lease["spec"]
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid_value("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    if spec.get("strategy") is not None:
        yield from _qualified_name("spec.strategy", spec["strategy"])
    elif spec.get("preferredHolder"):
        why = "may only be specified when strategy is defined"
        yield forbidden("spec.preferredHolder", why)


def _endpoints(endpoints: Object) -> Iterator[Cause]:
    for place, subset in enumerate(endpoints.get("subsets", ())):
        path = f"subsets[{place}]"
        addresses = [
            (name, i, a) for name in ("addresses", "notReadyAddresses") for i, a in enumerate(subset.get(name, ()))
        ]
        if not addresses:
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for name, i, address in addresses:
            yield from _address(f"{path}.{name}[{i}].ip", address["ip"])
        ports = subset.get("ports", ())
        for i, port in enumerate(ports):
            yield from _port(f"{path}.ports[{i}]", port, len(ports) > 1)


def _address(path: str, text: str) -> Iterator[Cause]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield invalid_value(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return
    bad = (("unspecified", address.is_unspecified), ("loopback", address.is_loopback),
           ("link-local", address.is_link_local), ("link-local multicast", address.is_multicast))  # fmt: skip
    for kind, is_so in bad:
        if is_so:
            range_ = {"loopback": " (127.0.0.0/8, ::1/128)", "link-local": " (169.254.0.0/16, fe80::/10)"}.get(kind, "")
            yield invalid_value(
                path, text, f"may not be {'in the ' if range_ else ''}{kind}{' range' if range_ else ''}{range_}"
            )


def _port(path: str, port: dict[str, Any], needs_name: bool) -> Iterator[Cause]:
    if needs_name and not port.get("name"):
        yield required(f"{path}.name")
    if not 1 <= port["port"] <= 65535:
        yield invalid_value(f"{path}.port", port["port"], "must be between 1 and 65535, inclusive")
    if port["protocol"] not in ("TCP", "UDP", "SCTP"):
        supported = 'supported values: "SCTP", "TCP", "UDP"'
        yield Cause(
            "FieldValueNotSupported", f"{path}.protocol", f'Unsupported value: "{port["protocol"]}": {supported}'
        )


def _config_map(config: Object) -> Iterator[Cause]:
    data, binary = config.get("data", {}), config.get("binaryData", {})
    for field, entries in (("data", data), ("binaryData", binary)):
        for key in entries:
            if not _matches(_CONFIG_KEY, key, 253) or key in (".", ".."):
                yield invalid_value(f"{field}[{key}]", key, BAD_CONFIG_KEY)
            elif field == "data" and key in binary:
                yield invalid_value(f"{field}[{key}]", key, "duplicate of key present in binaryData")
    if sum(len(text.encode()) for text in data.values()) + sum(len(b) * 3 // 4 for b in binary.values()) > MEBIBYTE:
        yield Cause("FieldValueTooLong", "", f"Too long: must have at most {MEBIBYTE} bytes")


def _immutable(config: Object, before: Object) -> Iterator[Cause]:
    if before.get("immutable"):
        why = "field is immutable when `immutable` is set"
        if not config.get("immutable"):
            yield forbidden("immutable", why)
        for field in ("data", "binaryData"):
            if config.get(field) != before.get(field):
                yield forbidden(field, why)


def _event(event: Object) -> Iterator[Cause]:
    about = event["involvedObject"].get("namespace", "")
    if about != event["metadata"].get("namespace") and not (
        not about and event["metadata"].get("namespace") == "default"
    ):
        yield invalid_value("involvedObject.namespace", about, "does not match event.namespace")


_RULES: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "Lease": _lease,
    "Endpoints": _endpoints,
    "ConfigMap": _config_map,
    "Event": _event,
}
