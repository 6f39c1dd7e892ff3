#!/bin/sh
# Every include in src/ and include/ follows an arrow of src/ROOMS, and every foreign API stays in
# the room that owns it. usage: arrows.sh SOURCE_ROOT
set -eu
cd "${1:?usage: arrows.sh SOURCE_ROOT}"

# A foreign header (as an awk pattern), and the rooms that may include it.
foreign='
^pcre2               base
^sodium              base
^xxhash              base
^llhttp              http
^zlib[.]h$           http
^brotli/             http
^zstd                http
^jansson             http judge
^uv([.]h$|/)         net
^linux/netlink       attrib
^linux/rtnetlink     attrib
^linux/sock_diag     attrib
^linux/inet_diag     attrib
^linux/unix_diag     attrib
^sqlite3             store
^cyaml/              cli
'

# FILE:LINE:FORM:NAME for each include; FORM is < or ".
list_includes() {
  find include/whichworker src -name '*.[ch]' | LC_ALL=C sort | while read -r file; do
    sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*\([<"]\)\([^>"]*\).*/\1:\2/p;t
            s/.*//p' "$file" | awk -v f="$file" 'NF { print f ":" NR ":" $0 }'
  done
}

# HEADER ROOM for each public header, by its first line.
list_headers() {
  for file in include/whichworker/*.h; do
    printf '%s %s\n' "${file#include/}" "$(sed -n '1s|^/\* \([a-z]*\): .*|\1|p' "$file")"
  done
}

list_rooms() {
  find src -mindepth 1 -maxdepth 1 -type d | sed 's|src/||' | LC_ALL=C sort
}

{
  grep -v '^#' src/ROOMS | sed 's/^/R /'
  printf '%s\n' "$foreign" | sed -n 's/^\^/F ^/p'
  list_headers | sed 's/^/H /'
  list_rooms | sed 's/^/D /'
  list_includes | sed 's/^/I /'
} | awk '
  function bad(where, what, mend) {
    printf "%s: %s\n    mend: %s\n", where, what, mend
    faults++
  }
  function is_allowed(room, other) {
    return room == other || may[room, other] || may[room, "*"]
  }
  function check_public(where, room, name,   other) {
    other = owner[name]
    if (other == "")
      bad(where, "<" name "> is no public header that names its room",
          "add include/" name ", whose first line is \"/* ROOM: its job. */\"")
    else if (!is_allowed(room, other))
      bad(where, "room " room " may not include <" name ">, which belongs to room " other,
          "move the code to a room that may know " other ", or hand it in from above (src/ROOMS)")
  }
  function check_foreign(where, room, name,   i) {
    for (i = 1; i <= foreigns; i++)
      if (name ~ pattern[i] && !((" " rooms_of[i] " ") ~ (" " room " ")))
        bad(where, "<" name "> belongs to room " rooms_of[i] ", not to " room,
            "call what that room offers in include/whichworker/, or extend it there")
  }
  function is_file(path) {
    return path !~ /\.\./ && system("test -f " path) == 0
  }
  function check_quote(where, room, file, name,   path) {
    path = file
    sub(/[^\/]*$/, "", path)
    path = path name
    while (sub(/[^\/.]+\/\.\.\//, "", path))
      ;
    if (file ~ /^include\// || index(path, "src/" room "/") != 1 || !is_file(path))
      bad(where, "\"" name "\" is no private header of room " room,
          "quotes are for headers of the same room; write <whichworker/...> for another one")
  }
  $1 == "R" && NF > 1 {
    room = $2
    sub(/:$/, "", room)
    for (i = 3; i <= NF; i++) {
      if ($i != "*" && !known[$i])
        bad("src/ROOMS", "room " room " names " $i ", which does not stand above it",
            "arrows point upward only: list " $i " before " room ", or drop the arrow")
      may[room, $i] = 1
    }
    known[room] = 1
  }
  $1 == "F" {
    pattern[++foreigns] = $2
    rooms_of[foreigns] = $3
    for (i = 4; i <= NF; i++)
      rooms_of[foreigns] = rooms_of[foreigns] " " $i
  }
  $1 == "H" {
    owner[$2] = $3
    if (!known[$3])
      bad("include/" $2 ":1", "the first line names no room of src/ROOMS",
          "begin it with \"/* ROOM: its job. */\"")
  }
  $1 == "D" && !known[$2] {
    bad("src/" $2, "is no room of src/ROOMS", "give it a line there, or put its files into a room")
  }
  $1 == "I" {
    split($2, part, ":")
    where = part[1] ":" part[2]
    name = part[4]
    if (part[1] ~ /^include\//)
      room = owner[substr(part[1], 9)]
    else {
      room = part[1]
      sub(/^src\//, "", room)
      sub(/\/.*/, "", room)
    }
    includes++
    if (part[3] == "\"")
      check_quote(where, room, part[1], name)
    else if (name ~ /^whichworker\//)
      check_public(where, room, name)
    else
      check_foreign(where, room, name)
  }
  END {
    if (includes == 0)
      bad("src", "no include was found at all", "give the source root to this script")
    if (faults > 0) {
      printf "%d wrong\n", faults
      exit 1
    }
    printf "%d includes follow the arrows\n", includes
  }'
