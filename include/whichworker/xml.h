/* base: writes XML 1.0 that is always well formed; the only place that escapes it. */
#ifndef WHICHWORKER_XML_H
#define WHICHWORKER_XML_H

#include <whichworker/buf.h>

#define WW_XML_DEPTH 16

/*
 * Borrows out, and the names until their elements are closed. Values may hold any bytes: what
 * is not UTF-8, or no character of XML (2.2), becomes U+FFFD; what would deceive a reader
 * (ww_utf8_deceives) becomes a character reference. An attribute behind content, an unbalanced
 * close, a second root or nesting over WW_XML_DEPTH aborts: those are programmers' errors.
 * Elements and attributes have names of our own words only.
 */
struct ww_xml {
    struct ww_buf *out;
    size_t depth;
    bool has_root;
    bool tag_is_open; /* of the innermost: attributes may still come */
    struct {
        const char *name;
        bool has_text;     /* nothing may be put between its parts but what was given */
        bool has_elements; /* its end stands on a line of its own */
    } level[WW_XML_DEPTH];
};

/* Writes the declaration; UTF-8. */
void ww_xml_init(struct ww_xml *x, struct ww_buf *out);
void ww_xml_open(struct ww_xml *x, const char *name);
void ww_xml_attr(struct ww_xml *x, const char *name, ww_str value); /* absent: no attribute */
void ww_xml_attr_int(struct ww_xml *x, const char *name, int64_t value);
void ww_xml_text(struct ww_xml *x, ww_str text);
void ww_xml_close(struct ww_xml *x); /* closes the innermost element */

/* Asserts that there was a root and that all is closed, and ends the text with a line feed. */
void ww_xml_finish(struct ww_xml *x);

#endif
