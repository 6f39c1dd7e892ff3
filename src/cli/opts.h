/* cli: the one table of options: parsing, environment, help and documentation come from it. */
#ifndef WW_OPTS_H
#define WW_OPTS_H

#include "config.h"

#include <whichworker/buf.h>

/* Which commands an option belongs to. */
enum command_set {
    FOR_PROXY = 1 << 0,
    FOR_REPORT = 1 << 1,
    FOR_HELP = 1 << 2,
    FOR_DOCTOR = 1 << 3,
    FOR_RUN = 1 << 4,  /* run has those of proxy too */
    FOR_GATE = 1 << 5, /* gate has those of proxy and run too */
    FOR_SHOW = 1 << 6,
    FOR_ALL = FOR_PROXY | FOR_REPORT | FOR_HELP | FOR_DOCTOR | FOR_SHOW
};

enum option_type {
    OPT_BOOL,
    OPT_STR,
    OPT_ADDR,
    OPT_MSEC,
    OPT_COUNT,
    OPT_SIZE,
    OPT_SHARE,
    OPT_FORMAT,
    OPT_FAIL_ON,
    OPT_REPORTS,
    OPT_REQUIREMENTS
};

struct option_row {
    const char *name; /* without the dashes */
    enum option_type type;
    size_t offset; /* in struct config */
    unsigned commands;
    char letter;     /* -q for --quiet; 0: none */
    bool ask;        /* it asks for something now: no setting of a file or of the environment */
    const char *arg; /* what stands for the value in help; NULL for a flag */
    const char *dflt;      /* as a user would write it; NULL: none */
    const char *gate_dflt; /* the same for gate, where it differs */
    const char *help;      /* half a line */
    const char *text;      /* a paragraph; NULL: the line says it all */
};

extern const struct option_row options_table[]; /* alphabetical, ended by a NULL name */

/* --idle-timeout is WHICHWORKER_IDLE_TIMEOUT; into name, which is returned. */
const char *option_variable(const struct option_row *o, char name[64]);

/* Whether it takes several values, which add up. */
bool option_is_list(const struct option_row *o);

/* As a user of that command would write it; NULL: none. */
const char *option_default(unsigned command, const struct option_row *o);

/* Sets the row's field of *c from the text of a value; borrows it. */
int option_set(struct config *c, const struct option_row *o, ww_str value, struct ww_err *err);

/* The row's value as option_set reads it, or an option's element of a list; false: there is
 * none.
 */
bool option_text(const struct config *c, const struct option_row *o, size_t i,
                 struct ww_buf *out);

/* Defaults, then the configuration file, then WHICHWORKER_* from the environment, then the
 * arguments, into *out. The strings that it gets borrow argv, the environment and the file,
 * which *out owns: it is to be released also on failure. `command` is the bit of the command
 * that parses. */
int options_parse(unsigned command, int argc, char **argv, struct config *out,
                  struct ww_err *err);
void options_release(struct config *c);

/* All that holds, as a configuration file, with the origin of each value behind it. */
void options_print(unsigned command, const struct config *c, struct ww_buf *out);

/* The options of a command: lines for a terminal, or a Markdown list with the paragraphs. */
void options_help(unsigned command, struct ww_buf *out);
void options_markdown(unsigned command, struct ww_buf *out);

#endif
