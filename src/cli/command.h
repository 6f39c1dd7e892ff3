/* cli: a command: one row of one table, one file each. */
#ifndef WW_COMMAND_H
#define WW_COMMAND_H

#include "opts.h"

/* Exit statuses, the same for every command. */
enum exit_status {
    EXIT_PASS = 0,
    EXIT_FINDINGS = 1,
    EXIT_INCONCLUSIVE = 2,
    EXIT_USAGE = 3,
    EXIT_CANNOT = 4
};

struct command {
    const char *name;
    unsigned bit;         /* its options' enum command_set */
    const char *help;     /* one line */
    const char *synopsis; /* behind "whichworker " */
    const char *text;     /* what it does */
    const char *examples; /* indented lines */
    int (*run)(const struct config *c,
               struct ww_err *err); /* an exit status, or an enum ww_code */
};

extern const struct command command_proxy;
extern const struct command command_report;
extern const struct command command_show;
extern const struct command command_run;
extern const struct command command_gate;
extern const struct command command_doctor;
extern const struct command command_help;

/* All of them, in the order of help, ended by NULL. */
extern const struct command *const commands[];

const struct command *command_find(ww_str name);

/* The whole help of a command; NULL: of the program. */
void command_help_text(const struct command *cmd, struct ww_buf *out);

/* Writes all of it to a descriptor; false if the other side is gone. */
bool write_all(int fd, ww_str bytes);

/* Whether to colour what goes to fd: a terminal, and nobody said no. */
bool wants_colour(const struct config *c, int fd);

/* Columns of the terminal that fd is; 0: it is none. */
unsigned terminal_width(int fd);

#endif
