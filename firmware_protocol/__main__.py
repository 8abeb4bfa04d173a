"""Print a text derived from the definition table: ``python -m firmware_protocol header``."""

import sys

from firmware_protocol.generate import c_header, tables_markdown, vectors_json

_TEXTS = {"header": c_header, "vectors": vectors_json, "tables": tables_markdown}


def main(arguments: list[str]) -> int:
    """Write the text named by the only argument to standard output."""
    if len(arguments) != 1 or arguments[0] not in _TEXTS:
        sys.stderr.write(f"usage: python -m firmware_protocol {'|'.join(_TEXTS)}\n")
        return 2
    sys.stdout.write(_TEXTS[arguments[0]]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
