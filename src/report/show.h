/* report: an exchange as lines, for whoever prints one or compares two. */
#ifndef WW_REPORT_SHOW_H
#define WW_REPORT_SHOW_H

#include <whichworker/paper.h>
#include <whichworker/show.h>

enum show_part {
    SHOW_FACTS,
    SHOW_REQUEST,
    SHOW_REQUEST_BODY,
    SHOW_RESPONSE,
    SHOW_RESPONSE_BODY,
    SHOW_PARTS
};

/* Facts have the same labels in the same order for every exchange. */
struct show_line {
    const char *label; /* of a fact, and nothing else */
    ww_str text;       /* as it was on the wire: to be escaped */
    bool aside;        /* our own words, not the message's */
};

struct show_lines {
    struct show_line *v;
    size_t n;
    size_t cap;
};

struct ww_show {
    struct ww_arena arena; /* the texts */
    char name[32];         /* "#12" */
    size_t worker;         /* its colour; or WW_NO_WORKER */
    bool masked;           /* some secret is shown as a keyed hash */
    struct show_lines part[SHOW_PARTS];
};

/* "w0 51463", the same in all that show prints. */
void ww_show_worker(struct ww_paper *p, const struct ww_verdict *v, size_t worker);

/* The lines of a body. fields: of its message; what they say of type and coding. */
void ww_show_body(struct ww_show *s, enum show_part part, const struct ww_fields *fields,
                  const struct ww_body *body);

/* JSON, or the beginning of some, with each member on a line of its own; tokens stay as they
 * are, also where it is not well-formed. */
void ww_show_json(ww_str json, struct ww_buf *out);

void ww_show_add(struct ww_show *s, enum show_part part, ww_str text);
void ww_show_aside(struct ww_show *s, enum show_part part, const char *fmt, ...) WW_FMT(3, 4);

#endif
