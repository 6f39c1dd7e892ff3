/* Whether a filter's tree selects an exchange. */
#include "node.h"

#define DECODED_MAX (4u << 20) /* bytes of a body that are looked at, as in the judge */
#define LINE_MAX    (1u << 20) /* heads are limited long before */
#define BLOCK       32         /* PCRE2's compiled patterns look at whole blocks of memory */

static bool finds(const struct node *n, ww_str in)
{
    ww_str whole;

    return ww_re_match(n->re, in, 0, &whole, NULL);
}

/* What is in the buffer, and zeros behind it: nothing that is looked at depends on chance. */
static bool finds_in(const struct node *n, struct ww_buf *b)
{
    char *room = ww_buf_room(b, BLOCK);

    if (room != NULL)
        memset(room, 0, BLOCK);
    return finds(n, ww_buf_str(b));
}

/* Decoded if it can be; what cannot is looked at as it is. */
static bool body_finds(const struct node *n, const struct ww_fields *f, const struct ww_body *b)
{
    ww_str encoding = ww_fields_get(f, WW_STR("content-encoding"));
    struct ww_buf decoded;
    bool found;

    if (b->bytes.len == 0)
        return false;
    ww_buf_init(&decoded, DECODED_MAX + BLOCK);
    if (encoding.len > 0 && ww_content_decode(encoding, b->bytes, &decoded) != WW_DECODED_NOT)
        found = finds_in(n, &decoded);
    else
        found = finds(n, b->bytes);
    ww_buf_release(&decoded);
    return found;
}

/* Each line by itself, as "Name: value". */
static bool fields_find(const struct node *n, const struct ww_fields *f)
{
    struct ww_buf line;
    bool found = false;

    ww_buf_init(&line, LINE_MAX);
    for (size_t i = 0; i < f->n && !found; i++) {
        ww_buf_clear(&line);
        ww_buf_add(&line, f->v[i].name);
        ww_buf_add_c(&line, ": ");
        ww_buf_add(&line, f->v[i].value);
        found = finds_in(n, &line);
    }
    ww_buf_release(&line);
    return found;
}

static bool type_finds(const struct node *n, const struct ww_fields *f)
{
    ww_str type = ww_fields_get(f, WW_STR("content-type"));

    return type.ptr != NULL && finds(n, type);
}

static bool url_finds(const struct node *n, const struct ww_exchange *x)
{
    ww_str host = ww_fields_get(&x->request_fields, WW_STR("host"));
    struct ww_buf url;
    bool found;

    ww_buf_init(&url, LINE_MAX);
    if (x->target.len > 0 && (x->target.ptr[0] == '/' || x->target.ptr[0] == '*')) {
        ww_buf_add_c(&url, "http://");
        ww_buf_add(&url, host);
    }
    ww_buf_add(&url, x->target);
    found = finds_in(n, &url);
    ww_buf_release(&url);
    return found;
}

/* Without the port; of "[::1]:80" the address. */
static bool domain_finds(const struct node *n, const struct ww_exchange *x)
{
    ww_str host = ww_fields_get(&x->request_fields, WW_STR("host"));
    ptrdiff_t end = ww_str_starts(host, WW_STR("[")) ? ww_str_find(host, WW_STR("]")) + 1
                                                     : ww_str_find(host, WW_STR(":"));

    return host.ptr != NULL && finds(n, end > 0 ? ww_str_upto(host, (size_t)end) : host);
}

/* ---- what this product knows beside */

static bool is_worker(const struct node *n, const struct ww_subject *s)
{
    const struct ww_exchange *x = s->exchange;

    switch (n->named) {
    case WORKER_UNKNOWN:
        return x->by == WW_BY_UNKNOWN || x->by == WW_BY_AMBIGUOUS;
    case WORKER_PID:
        return x->worker.pid > 0 && (uint64_t)x->worker.pid == n->number;
    case WORKER_SLOT:
        return s->worker != NULL && x->worker.pid > 0 && s->worker->slot == n->number;
    }
    return false;
}

static bool is_source(const struct node *n, enum ww_source by)
{
    if (ww_str_eq(n->word, WW_STR("known")))
        return by == WW_BY_KERNEL || by == WW_BY_PRELOAD || by == WW_BY_HEADER;
    return ww_source_find(n->word) == by;
}

static bool is_named(const struct node *n, const struct ww_finding *f)
{
    return ww_str_eq(n->word, WW_STR("any")) || ww_str_eq(n->word, ww_str_c(f->id)) ||
           ww_str_eq(n->word, ww_str_c(ww_guarantee_token(f->guarantee))) ||
           ww_str_eq(n->word, ww_str_c(ww_grade_token(f->grade))) ||
           ww_str_eq(n->word, ww_str_c(ww_cause_token(f->cause)));
}

/* The step is part of the proof of such a finding. */
static bool is_proof(const struct node *n, const struct ww_subject *s)
{
    for (size_t i = 0; s->verdict != NULL && i < s->verdict->findings; i++) {
        const struct ww_finding *f = &s->verdict->finding[i];

        for (size_t k = 0; k < f->evidences; k++)
            if (f->evidence[k].step == s->step && is_named(n, f))
                return true;
    }
    return false;
}

/* ---- the tree */

static bool is_code(const struct node *n, const struct ww_exchange *x)
{
    return n->hundreds != 0 ? x->status / 100 == n->hundreds
                            : x->status != 0 && x->status == n->number;
}

static bool body_matches(const struct node *n, const struct ww_exchange *x)
{
    return ((n->side & SIDE_REQUEST) && body_finds(n, &x->request_fields, &x->request_body)) ||
           ((n->side & SIDE_RESPONSE) && body_finds(n, &x->response_fields, &x->response_body));
}

static bool in_fields(const struct node *n, const struct ww_exchange *x,
                      bool (*find)(const struct node *n, const struct ww_fields *f))
{
    return ((n->side & SIDE_REQUEST) && find(n, &x->request_fields)) ||
           ((n->side & SIDE_RESPONSE) && find(n, &x->response_fields));
}

static bool matches(const struct node *n, const struct ww_subject *s)
{
    const struct ww_exchange *x = s->exchange;

    switch (n->kind) {
    case NODE_AND:
        return matches(n->left, s) && matches(n->right, s);
    case NODE_OR:
        return matches(n->left, s) || matches(n->right, s);
    case NODE_NOT:
        return !matches(n->left, s);
    case NODE_ALL:
        return true;
    case NODE_BODY:
        return body_matches(n, x);
    case NODE_CODE:
        return is_code(n, x);
    case NODE_DOMAIN:
        return domain_finds(n, x);
    case NODE_ERROR:
        return x->end != WW_END_COMPLETE;
    case NODE_FIELD:
        return in_fields(n, x, fields_find);
    case NODE_METHOD:
        return finds(n, x->method);
    case NODE_NO_RESPONSE:
        return x->status == 0;
    case NODE_RESPONSE:
        return x->status != 0;
    case NODE_TYPE:
        return in_fields(n, x, type_finds);
    case NODE_URL:
        return url_finds(n, x);
    case NODE_WORKER:
        return is_worker(n, s);
    case NODE_SESSION:
        return s->session == n->number;
    case NODE_SPLIT:
        return s->split;
    case NODE_VERDICT:
        return is_proof(n, s);
    case NODE_SOURCE:
        return is_source(n, x->by);
    }
    return false;
}

bool ww_filter_match(const struct ww_filter *f, const struct ww_subject *s)
{
    return matches(f->root, s);
}
