#!/usr/bin/env python3
"""Writes a file's bytes as a C array: embed.py FILE NAME HEADER OUT."""
import sys

source, name, header, out = sys.argv[1:]
data = open(source, "rb").read() + b"\0"
with open(out, "w") as f:
    f.write(f'/* Made from {source.rsplit("/", 1)[-1]}. */\n#include "{header}"\n\n')
    f.write(f"const char {name}[] = {{\n")
    for i in range(0, len(data), 16):
        # As char constants: the bytes above 127 are not ints that a signed char holds.
        f.write("    " + " ".join(f"'\\x{b:02x}'," for b in data[i:i + 16]) + "\n")
    f.write("};\n")
