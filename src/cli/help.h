/* cli: the commands and options in other forms: a man page, completions for shells. */
#ifndef WW_HELP_H
#define WW_HELP_H

#include <whichworker/buf.h>
#include <whichworker/err.h>

/* whichworker(1), in man's macros. */
void help_man(struct ww_buf *out);

/* A script for "bash", "zsh" or "fish"; WW_EUSAGE for another shell. */
int help_completions(ww_str shell, struct ww_buf *out, struct ww_err *err);

#endif
