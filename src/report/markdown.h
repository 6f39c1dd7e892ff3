/* report: Markdown in which text from the wire stays text. */
#ifndef WW_REPORT_MARKDOWN_H
#define WW_REPORT_MARKDOWN_H

#include <whichworker/buf.h>

/*
 * Appends s as a code span (CommonMark 6.1), printable, at most `max` bytes of it. Nothing in a
 * code span is markup, a link, a mention or an emoji, whoever renders it. A '|' becomes \x7c,
 * so that it ends no cell of a table. Nothing at all for an empty s.
 */
void ww_markdown_code(struct ww_buf *out, ww_str s, size_t max);

#endif
