/* report: lines of text for a terminal or a log: cells, wrapping, colours, plurals. */
#ifndef WHICHWORKER_PAPER_H
#define WHICHWORKER_PAPER_H

#include <whichworker/buf.h>

enum ww_ink { WW_INK_PLAIN, WW_INK_BOLD, WW_INK_DIM, WW_INK_RED, WW_INK_GREEN, WW_INK_YELLOW };

/* Borrows out. `colour` and `width` as in struct ww_report_style, the width made usable. Text
 * that is not a format is taken to be from the wire, and escaped. */
struct ww_paper {
    struct ww_buf *out;
    bool colour;
    size_t width;
};

void ww_paper_init(struct ww_paper *p, struct ww_buf *out, bool colour, unsigned width);

/* Our own words only. */
void ww_paper_printf(struct ww_paper *p, const char *fmt, ...) WW_FMT(2, 3);

/* From here on, until the next. Nothing at all without colour. */
void ww_paper_ink(struct ww_paper *p, enum ww_ink ink);
void ww_paper_worker_ink(struct ww_paper *p, size_t worker);

/* A heading of our own words, with an empty line before it. */
void ww_paper_section(struct ww_paper *p, const char *title);

/* s as it may be printed, in a buffer that the caller releases; very long ones are cut. */
void ww_paper_printable(struct ww_buf *b, ww_str s);

/* Takes the next piece of a printable text from *rest, as much as fits into so many columns. What
 * is left does not begin with "::", which a build's log would take for a command. */
ww_str ww_paper_piece(ww_str *rest, size_t columns);

/* The columns that s takes once it is printable. */
size_t ww_paper_columns(ww_str s);

/* s, cut to the columns with "..." if it must be; padded to them if `pad`. */
void ww_paper_cell(struct ww_paper *p, ww_str s, size_t columns, bool pad);

/* s by words from the column `at` on, where the line stands already, to the paper's edge; the
 * lines that follow begin at `indent`. Ends the line. */
void ww_paper_wrap(struct ww_paper *p, size_t at, size_t indent, ww_str s);

/* "1 split", "2 splits". */
void ww_paper_count(struct ww_paper *p, uint64_t n, const char *one, const char *many);

/* "12:01:07.482", or dashes for a time that never was. */
void ww_paper_clock(struct ww_paper *p, int64_t wall_us);
#define WW_PAPER_CLOCK 12

#endif
