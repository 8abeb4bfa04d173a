"""The API reference page, made from the OpenAPI description: no script, no outside asset."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A parameter or a field of the answer."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Entry, ...]
    fields: tuple[Entry, ...]
    curl: str


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _type(schema: dict[str, Any]) -> str:
    options = schema.get("anyOf")
    if options:
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    name = str(schema.get("format") or schema.get("type") or "object")
    return f"list of {_type(schema['items'])}" if name == "array" and "items" in schema else name


def _text(schema: dict[str, Any], own: str = "") -> str:
    parts = [own or str(schema.get("description") or ""), f"({_type(schema)})"]
    return " ".join(part for part in parts if part)


def _fields(operation: dict[str, Any], document: dict[str, Any]) -> tuple[Entry, ...]:
    content = operation["responses"].get("200", {}).get("content", {})
    schema = _resolve(content.get("application/json", {}).get("schema", {}), document)
    entries = []
    for name, item in schema.get("properties", {}).items():
        entries.append(Entry(name, _text(item)))
        nested = _resolve(item.get("items", {}), document) if item.get("type") == "array" else {}
        for inner, inner_schema in nested.get("properties", {}).items():
            entries.append(Entry(f"{name}[].{inner}", _text(inner_schema)))
    return tuple(entries)


def _example(parameter: dict[str, Any], document: dict[str, Any]) -> str | None:
    schema = _resolve(parameter.get("schema", {}), document)
    found = parameter.get("examples") or schema.get("examples")
    if isinstance(found, list) and found:
        return str(found[0])
    return str(schema["enum"][0]) if parameter["in"] == "path" and "enum" in schema else None


def _body(operation: dict[str, Any], document: dict[str, Any]) -> str | None:
    """Return the example of a JSON body as one line, None where the operation takes none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    return json.dumps(_sample(content.get("schema", {}), document))


def _sample(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Return an example of a schema: its own, or one put together from what it requires."""
    found = _resolve(schema, document)
    if found.get("examples"):
        return found["examples"][0]
    if "enum" in found:
        return found["enum"][0]
    if "properties" in found:
        required = found.get("required", [])
        return {name: _sample(found["properties"][name], document) for name in required}
    plain = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "array": []}
    return plain.get(str(found.get("type")), {})


def _curl(
    base: str, method: str, path: str, operation: dict[str, Any], document: dict[str, Any]
) -> str:
    query = []
    rest = ""
    for parameter in operation.get("parameters", []):
        value = _example(parameter, document)
        if value is None:
            continue
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
        elif parameter["in"] == "query":
            query.append(f"{parameter['name']}={value}")
        elif parameter["in"] == "header":
            # in double quotes, so that a shell puts the token in
            rest += f' -H "{parameter["name"].title()}: {value}"'
    body = _body(operation, document)
    if body is not None:
        rest += f" -H 'Content-Type: application/json' -d '{body}'"
    elif method == "PUT":
        rest += " --data-binary @segment.part"
    flags = "-N" if path.endswith("/live") else "-s"
    verb = "" if method == "GET" else f" -X {method}"
    address = base + path + ("?" + "&".join(query) if query else "")
    return f"curl {flags}{verb} '{address}'{rest}"


def operations(document: dict[str, Any], base: str) -> list[Operation]:
    """Return every operation of an OpenAPI document in its order.

    Parameters
    ----------
    document : dict
        OpenAPI 3.1.
    base : str
        Address of the server for the `curl` lines.
    """
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters = operation.get("parameters", [])
            found.append(
                Operation(
                    id=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation.get("summary", ""),
                    description=operation.get("description", ""),
                    parameters=tuple(
                        Entry(p["name"], _text(p["schema"], p.get("description", "")))
                        for p in parameters
                    ),
                    fields=_fields(operation, document),
                    curl=_curl(base, method.upper(), path, operation, document),
                )
            )
    return found
