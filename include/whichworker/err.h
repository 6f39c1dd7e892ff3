/* base: errors of the cold path: a code, and a sentence in the user's words. */
#ifndef WHICHWORKER_ERR_H
#define WHICHWORKER_ERR_H

#include <whichworker/str.h>

enum ww_code {
    WW_OK = 0,
    WW_EUSAGE = -1,   /* a flag, a value, a configuration: the user can mend it */
    WW_EINPUT = -2,   /* a trace or another input that cannot be read */
    WW_ESYSTEM = -3,  /* the system refused: a port taken, a full disk, no permission */
    WW_ELIMIT = -4,   /* a limit was reached */
    WW_ENOTFOUND = -5 /* what was asked for is not there */
};

/* Storage is the caller's, zeroed before the first use. */
struct ww_err {
    enum ww_code code;
    char text[512];
};

/* Writes code and text, and returns code, so that failing is one line. err may be NULL. */
int ww_err_set(struct ww_err *err, enum ww_code code, const char *fmt, ...) WW_FMT(3, 4);

/* The same with ": " and the system's words for errno_value behind the text. */
int ww_err_errno(struct ww_err *err, int errno_value, const char *fmt, ...) WW_FMT(3, 4);

/* Puts "prefix: " before the text; keeps and returns the code. */
int ww_err_wrap(struct ww_err *err, const char *fmt, ...) WW_FMT(2, 3);

#endif
