"""A C program made from the definition table that packs and unpacks through the generated structs.

It reads lines ``pack LAYOUT v v ...`` and ``unpack LAYOUT HEX`` and prints hexadecimal bytes or
field values: a second, independent implementation of every layout.
"""

import subprocess
from pathlib import Path

from firmware_protocol.definition import LAYOUTS
from firmware_protocol.layout import Layout

REFERENCE = Path(__file__).resolve().parents[3] / "firmware_protocol" / "reference"
FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")

_MAIN = """
int main(void) {
    static char line[65536];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *rest = NULL;
        const char *verb = strtok_r(line, " \\n", &rest);
        const char *name = strtok_r(NULL, " \\n", &rest);
        if (verb == NULL || name == NULL) return 2;
        int pack = strcmp(verb, "pack") == 0;
%s
        return 3;
    }
    return 0;
}
"""


def c_program() -> str:
    """Return the C source."""
    functions = "\n".join(_functions(layout) for layout in LAYOUTS)
    calls = "\n".join(
        f'        if (strcmp(name, "{layout.name}") == 0) '
        f"{{ if (pack) pack_{layout.name}(&rest); else unpack_{layout.name}(&rest); continue; }}"
        for layout in LAYOUTS
    )
    return (
        "#define _POSIX_C_SOURCE 200809L\n"
        "#include <inttypes.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
        '#include "necktrace_protocol.h"\n' + functions + _MAIN % calls
    )


def _functions(layout: Layout) -> str:
    read, write = [], []
    for f in layout.fields:
        kind = f.scalar.c_type
        parse = "strtoull" if kind.startswith("u") else "strtoll"
        form = f"PRI{'u' if kind.startswith('u') else 'd'}64"
        wide = "uint64_t" if kind.startswith("u") else "int64_t"
        for i in range(f.count):
            target = f"s.{f.name}[{i}]" if f.count > 1 else f"s.{f.name}"
            read.append(f'    {target} = ({kind}){parse}(strtok_r(NULL, " \\n", rest), NULL, 10);')
            write.append(f'    printf("%" {form} " ", ({wide}){target});')
    name = layout.name
    return "\n".join(
        (
            f"static void pack_{name}(char **rest) {{",
            f"    struct nt_{name} s;",
            *read,
            "    unsigned char raw[sizeof s];",
            "    memcpy(raw, &s, sizeof s);",
            '    for (size_t i = 0; i < sizeof s; i++) printf("%02x", raw[i]);',
            '    printf("\\n");',
            "}",
            f"static void unpack_{name}(char **rest) {{",
            f"    struct nt_{name} s;",
            "    unsigned char raw[sizeof s];",
            '    const char *hex = strtok_r(NULL, " \\n", rest);',
            "    if (hex == NULL || strlen(hex) != 2 * sizeof s) exit(4);",
            "    for (size_t i = 0; i < sizeof s; i++) {",
            "        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};",
            "        raw[i] = (unsigned char)strtoul(two, NULL, 16);",
            "    }",
            "    memcpy(&s, raw, sizeof s);",
            *write,
            '    printf("\\n");',
            "}",
        )
    )


def compile_codec(folder: Path) -> Path:
    """Return the program, compiled with warnings as errors."""
    source = folder / "codec.c"
    source.write_text(c_program())
    program = folder / "codec"
    done = subprocess.run(
        ["gcc", *FLAGS, "-I", str(REFERENCE), str(source), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


def run_codec(program: Path, lines: list[str]) -> list[str]:
    """Return the program's answer to each line."""
    done = subprocess.run(
        [str(program)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    )
    return [line.strip() for line in done.stdout.splitlines()]
