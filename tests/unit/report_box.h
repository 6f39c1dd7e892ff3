/* report: a verdict and what a format makes of it, for the tests of the renderers. */
#ifndef WW_TEST_REPORT_BOX_H
#define WW_TEST_REPORT_BOX_H

#include "cars_verdict.h"
#include "check.h"

#include <whichworker/report.h>

#include <stdlib.h>

struct box {
    struct cars cars;
    struct ww_report_style style;
    struct ww_report_standing standing[2];
    struct ww_report_requirement requirement[3];
    struct ww_buf out;
};

static inline int open_box(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    ww_buf_init(&b->out, 1 << 24);
    cars_lost(&b->cars);
    *state = b;
    return 0;
}

static inline int close_box(void **state)
{
    struct box *b = *state;

    ww_buf_release(&b->out);
    free(b);
    return 0;
}

/* Borrowed until the next. */
static inline ww_str render(struct box *b, const char *format)
{
    ww_buf_clear(&b->out);
    ww_report_format_find(ww_str_c(format))->render(&b->cars.v, &b->style, &b->out);
    assert_false(b->out.full);
    return ww_buf_str(&b->out);
}

static inline void assert_has(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) < 0)
        fail_msg("'%s' is not in:\n%.*s", needle, (int)text.len, text.ptr);
}

static inline void assert_has_not(ww_str text, const char *needle)
{
    if (ww_str_find(text, ww_str_c(needle)) >= 0)
        fail_msg("'%s' is in:\n%.*s", needle, (int)text.len, text.ptr);
}

static inline size_t occurrences(ww_str text, const char *needle)
{
    size_t n = 0;
    ptrdiff_t at;

    while ((at = ww_str_find(text, ww_str_c(needle))) >= 0) {
        text = ww_str_from(text, (size_t)at + 1);
        n++;
    }
    return n;
}

#define WITH_BOX(f) cmocka_unit_test_setup_teardown(f, open_box, close_box)

#endif
