/* wire: a script's lines as words and bytes, and how a script fails. */
#ifndef WW_WIRE_SCRIPT_H
#define WW_WIRE_SCRIPT_H

#include "world.h"

#include <whichworker/arena.h>
#include <whichworker/str.h>

struct script {
    const char *path;
    unsigned line;
    bool by_byte; /* every fed byte is a segment of its own */
    struct ww_arena arena;
    struct ww_proxy_config cfg;
    struct world *world; /* NULL until the first line that is not an option */
};

/* One word: key=value, or a value alone (key absent). Quoted values may hold spaces. */
struct word {
    ww_str key;
    ww_str value;
    bool quoted;
};

/* Takes the next word; false at the end of the line. */
bool script_word(struct script *s, ww_str *rest, struct word *out);

/* Undoes \r \n \t \0 \\ \| \" and \xNN. */
ww_str script_unescape(struct script *s, ww_str text);

/* The world of the script; the first call makes it. */
struct world *script_world(struct script *s);

/* Lets everything happen that needs no waiting. */
void script_settle(struct script *s);

/* Turns the loop until it holds, five seconds at most. */
bool script_await(struct script *s, bool (*holds)(struct script *s, void *ctx), void *ctx);

uint64_t script_number(const struct script *s, ww_str text);

/* Says where, what, and what both sides have got, and ends the program. */
_Noreturn void script_fail(const struct script *s, const char *fmt, ...) WW_FMT(2, 3);

#endif
