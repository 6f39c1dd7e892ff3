#!/bin/sh
# Files, functions and lines stay small enough to read; a file's first line says its one job.
# usage: limits.sh SOURCE_ROOT
set -eu
cd "${1:?usage: limits.sh SOURCE_ROOT}"

# Files and functions are measured in src and include, widths everywhere.
# Functions are found by the house's form: a brace of its own at the line's start opens a body.
# Tables in a "clang-format off" island may be as wide as they need. A column is a code point.
find include src tests -name '*.[ch]' | LC_ALL=C sort |
  LC_ALL=C awk -v FILE_MAX=700 -v FUNCTION_MAX=60 -v COLUMN_MAX=100 '
  function bad(where, what, mend) {
    printf "%s: %s\n    mend: %s\n", where, what, mend
    faults++
  }
  function check(file,   line, n, start, island, text, is_ours) {
    is_ours = file ~ /^(src|include)\//
    while ((getline line < file) > 0) {
      n++
      if (n == 1 && line !~ /^\/\* [^ ]/)
        bad(file ":1", "the first line does not say what the file is for",
            "begin it with a comment of one sentence: /* its one job. */")
      if (line ~ /clang-format off/)
        island = 1
      if (line ~ /clang-format on/)
        island = 0
      text = line
      gsub(/[\200-\277]/, "", text)
      if (length(text) > COLUMN_MAX && !island)
        bad(file ":" n, length(text) " columns; " COLUMN_MAX " are the limit", "break it; clang-format -i may do")
      if (line ~ /\t/)
        bad(file ":" n, "a tab", "indent with spaces")
      if (line ~ /[ \r]$/)
        bad(file ":" n, "a blank at the end of the line", "remove it")
      if (line == "{")
        start = n
      if (line == "}" && start > 0) {
        if (is_ours && n - start - 1 > FUNCTION_MAX)
          bad(file ":" start,
              "a function of " (n - start - 1) " lines; " FUNCTION_MAX " are the limit",
              "give its parts names of their own")
        functions++
        start = 0
      }
    }
    close(file)
    if (is_ours && n > FILE_MAX)
      bad(file, n " lines; " FILE_MAX " are the limit", "it has more than one job: split it")
  }
  { files++; check($0) }
  END {
    if (files == 0 || functions == 0)
      bad("src", "nothing was found to measure", "give the source root to this script")
    if (faults > 0) {
      printf "%d wrong\n", faults
      exit 1
    }
    printf "%d files, %d functions within the limits\n", files, functions
  }'
