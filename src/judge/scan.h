/* judge: JSON as a row of events, with no tree built: most of a recording is JSON bodies. */
#ifndef WW_JUDGE_SCAN_H
#define WW_JUDGE_SCAN_H

#include <whichworker/buf.h>

#define SCAN_DEPTH_MAX  2048 /* nesting; deeper is refused */
#define SCAN_NUMBER_MAX 400  /* characters of a number; longer ones are refused */

enum scan_event {
    SCAN_WRONG, /* it is no JSON; and so it stays */
    SCAN_OBJECT,
    SCAN_OBJECT_END,
    SCAN_ARRAY,
    SCAN_ARRAY_END,
    SCAN_KEY,
    SCAN_STRING,
    SCAN_INTEGER, /* fits into 64 bits; text is as written */
    SCAN_REAL,    /* finite */
    SCAN_TRUE,
    SCAN_FALSE,
    SCAN_NULL,
    SCAN_END /* the text was one value, and blanks */
};

/*
 * Strict as RFC 8259 is: UTF-8, no lone surrogate, no control character in a string, one value.
 * Besides refused: a NUL in a member's name, and numbers that fit neither a 64-bit integer nor
 * a double. A name may come twice.
 */
struct scan {
    ww_str text;
    size_t at;
    size_t depth;
    unsigned char array[SCAN_DEPTH_MAX / 8]; /* by depth, a bit: an array, not an object */
    enum scan_wants { SCAN_VALUE, SCAN_FIRST, SCAN_NEXT, SCAN_NOTHING } wants;
    struct ww_buf unescaped;
};

void scan_init(struct scan *s, ww_str text); /* borrows it */
void scan_release(struct scan *s);

/* The next event; of KEY, STRING, INTEGER and REAL its text, borrowed until the next event. */
WW_MUST enum scan_event scan_next(struct scan *s, ww_str *out_text);

#endif
