/* An exchange in full: what is known of it, the request, the response. */
#include "show.h"

#include <whichworker/http.h>
#include <whichworker/units.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FACT_MAX 1024

/* ---- lines */

static void add_line(struct ww_show *s, enum show_part part, struct show_line line)
{
    struct show_lines *to = &s->part[part];

    to->v = ww_grow(to->v, to->n + 1, &to->cap, sizeof(*to->v));
    to->v[to->n++] = line;
}

void ww_show_add(struct ww_show *s, enum show_part part, ww_str text)
{
    add_line(s, part,
             (struct show_line){
                 .text = ww_arena_dup(&s->arena, text.ptr == NULL ? WW_STR("") : text) });
}

void ww_show_aside(struct ww_show *s, enum show_part part, const char *fmt, ...)
{
    char words[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    add_line(
        s, part,
        (struct show_line){ .text = ww_arena_dup(&s->arena, ww_str_c(words)), .aside = true });
}

static void add_fact(struct ww_show *s, const char *label, struct ww_buf *text)
{
    add_line(s, SHOW_FACTS,
             (struct show_line){ .label = label,
                                 .text = ww_arena_dup(&s->arena, ww_buf_str(text)) });
    ww_buf_clear(text);
}

/* ---- facts */

static void session_fact(struct ww_show *s, const struct ww_verdict *v,
                         const struct ww_step *step, struct ww_buf *b)
{
    const struct ww_verdict_session *session = &v->session[step->session];

    ww_buf_printf(b, "%s, %s ", session->id, ww_key_kind_token(session->kind));
    ww_buf_add(b, ww_str_upto(session->key_name, 100));
    if (session->kind == WW_KEY_CLIENT) {
        ww_buf_add_char(b, ' ');
        ww_buf_add(b, ww_str_upto(session->key_value, 200));
    }
    add_fact(s, "session", b);
}

static void worker_fact(struct ww_show *s, const struct ww_verdict *v,
                        const struct ww_step *step, const struct ww_exchange *x,
                        struct ww_buf *b)
{
    if (step->worker == WW_NO_WORKER)
        ww_buf_printf(b, "%s", ww_source_token(x->by));
    else
        ww_buf_printf(b, "w%" PRIu32 " %" PRId32 ", known by %s",
                      v->worker[step->worker].worker.slot, x->worker.pid,
                      ww_source_token(x->by));
    if (x->also_by != WW_BY_NOBODY)
        ww_buf_printf(b, "; %s says %" PRId32, ww_source_token(x->also_by), x->also_worker.pid);
    if (step->split)
        ww_buf_add_c(b, "; a split: another one than before");
    add_fact(s, "worker", b);
}

static void phase(struct ww_buf *b, const char *what, int64_t from_us, int64_t to_us)
{
    if (from_us != 0 && to_us >= from_us)
        ww_buf_printf(b, "%s%s %.1f", b->len > 0 ? ", " : "", what,
                      (double)(to_us - from_us) / 1000);
}

static void time_facts(struct ww_show *s, const struct ww_exchange *x, struct ww_buf *b)
{
    char when[WW_TIME_TEXT];

    ww_time_text(x->started_us, when);
    ww_buf_add_c(b, when);
    add_fact(s, "began", b);
    phase(b, "in all", x->started_us, x->ended_us);
    phase(b, "until a worker accepted", x->connected_us, x->accepted_us);
    phase(b, "until it answered", x->accepted_us, x->answered_us);
    add_fact(s, "took (ms)", b);
}

/* "f1 confirmed read-your-writes: read-lost". */
static void finding_fact(struct ww_show *s, const struct ww_verdict *v, size_t step,
                         struct ww_buf *b)
{
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i];

        for (size_t k = 0; k < f->evidences; k++)
            if (f->evidence[k].step == step)
                ww_buf_printf(b, "%s%s %s %s: %s", b->len > 0 ? "; " : "", f->id,
                              ww_grade_token(f->grade), ww_guarantee_token(f->guarantee),
                              f->evidence[k].role);
    }
    if (b->len == 0)
        ww_buf_add_c(b, "none");
    add_fact(s, "findings", b);
}

static void add_facts(struct ww_show *s, const struct ww_verdict *v, size_t at,
                      const struct ww_exchange *x)
{
    const struct ww_step *step = &v->step[at];
    struct ww_buf b;

    ww_buf_init(&b, FACT_MAX);
    session_fact(s, v, step, &b);
    worker_fact(s, v, step, x, &b);
    time_facts(s, x, &b);
    ww_buf_add(&b, ww_str_upto(x->client, 200));
    ww_buf_printf(&b, ", its connection %" PRIu64, x->connection);
    add_fact(s, "client", &b);
    ww_buf_add(&b, x->request_id);
    add_fact(s, "request id", &b);
    ww_buf_add_c(&b, ww_end_token(x->end));
    add_fact(s, "ended", &b);
    finding_fact(s, v, at, &b);
    ww_buf_release(&b);
}

/* ---- messages */

/* A value that stands in the fields, and what it says without its key. */
static void add_payloads(struct ww_show *s, enum show_part part, ww_str value,
                         const struct ww_payload *payload, size_t payloads)
{
    for (size_t i = 0; i < payloads; i++) {
        struct ww_buf json;
        ww_str rest, line;

        if (payload[i].value.len == 0 || ww_str_find(value, payload[i].value) < 0)
            continue;
        ww_buf_init(&json, 1u << 18);
        ww_show_json(payload[i].json, &json);
        ww_show_aside(s, part, "  readable without its key (%s):", payload[i].form);
        rest = ww_buf_str(&json);
        while (ww_str_cut(&rest, '\n', &line))
            add_line(s, part,
                     (struct show_line){
                         .text = ww_arena_printf(&s->arena, "    " WW_STRF, WW_STRV(line)),
                         .aside = true });
        ww_buf_release(&json);
    }
}

static void add_fields(struct ww_show *s, enum show_part part, const struct ww_fields *f,
                       const struct ww_payload *payload, size_t payloads)
{
    struct ww_buf line;

    ww_buf_init(&line, 1u << 20);
    for (size_t i = 0; i < f->n; i++) {
        ww_buf_clear(&line);
        ww_buf_add(&line, f->v[i].name);
        ww_buf_add_c(&line, ": ");
        ww_buf_add(&line, f->v[i].value);
        ww_show_add(s, part, ww_buf_str(&line));
        s->masked = s->masked || ww_str_find(f->v[i].value, WW_STR("mac:")) >= 0;
        add_payloads(s, part, f->v[i].value, payload, payloads);
    }
    ww_buf_release(&line);
}

static void add_messages(struct ww_show *s, const struct ww_exchange *x,
                         const struct ww_payload *payload, size_t payloads)
{
    struct ww_buf line;

    ww_buf_init(&line, 1u << 20);
    ww_buf_add(&line, x->method);
    ww_buf_add_char(&line, ' ');
    ww_buf_add(&line, x->target);
    ww_buf_printf(&line, " HTTP/1.%u", x->request_minor);
    ww_show_add(s, SHOW_REQUEST, ww_buf_str(&line));
    ww_buf_release(&line);
    add_fields(s, SHOW_REQUEST, &x->request_fields, payload, payloads);
    ww_show_body(s, SHOW_REQUEST_BODY, &x->request_fields, &x->request_body);
    if (x->status == 0) {
        ww_show_aside(s, SHOW_RESPONSE, "there was none: %s", ww_end_sentence(x->end));
        return;
    }
    ww_show_add(s, SHOW_RESPONSE,
                ww_arena_printf(&s->arena, "%u %s", x->status, ww_http_reason(x->status)));
    add_fields(s, SHOW_RESPONSE, &x->response_fields, payload, payloads);
    ww_show_body(s, SHOW_RESPONSE_BODY, &x->response_fields, &x->response_body);
}

struct ww_show *ww_show_new(const struct ww_verdict *v, size_t step,
                            const struct ww_exchange *x, const struct ww_payload *payload,
                            size_t payloads)
{
    struct ww_show *s = ww_xcalloc(1, sizeof(*s));

    ww_arena_init(&s->arena, SIZE_MAX);
    snprintf(s->name, sizeof(s->name), "#%" PRIu64, x->id);
    s->worker = v->step[step].worker;
    add_facts(s, v, step, x);
    add_messages(s, x, payload, payloads);
    return s;
}

void ww_show_free(struct ww_show *s)
{
    if (s == NULL)
        return;
    for (int part = 0; part < SHOW_PARTS; part++)
        free(s->part[part].v);
    ww_arena_release(&s->arena);
    free(s);
}

/* ---- printed */

#define LABEL 12

static void put_line(struct ww_paper *p, const struct show_line *l, size_t worker)
{
    size_t at = l->label == NULL ? 2 : 2 + LABEL;
    struct ww_buf text;
    bool first = true;

    ww_paper_printable(&text, l->text);
    ww_paper_printf(p, "  ");
    if (l->label != NULL)
        ww_paper_printf(p, "%-*s", LABEL, l->label);
    if (l->aside)
        ww_paper_ink(p, WW_INK_DIM);
    else if (l->label != NULL && strcmp(l->label, "worker") == 0 && worker != WW_NO_WORKER)
        ww_paper_worker_ink(p, worker);
    for (ww_str rest = ww_buf_str(&text); first || rest.len > 0; first = false) {
        if (!first)
            ww_paper_printf(p, "\n%*s", (int)at, "");
        ww_buf_add(p->out, ww_paper_piece(&rest, p->width - at));
    }
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
    ww_buf_release(&text);
}

static void put_part(struct ww_paper *p, const struct ww_show *s, enum show_part part)
{
    for (size_t i = 0; i < s->part[part].n; i++)
        put_line(p, &s->part[part].v[i], s->worker);
}

static void put_message(struct ww_paper *p, const struct ww_show *s, const char *title,
                        enum show_part head, enum show_part body)
{
    ww_paper_section(p, title);
    put_part(p, s, head);
    if (s->part[body].n > 0)
        ww_paper_printf(p, "\n");
    put_part(p, s, body);
}

void ww_show_exchange(const struct ww_show *s, const struct ww_report_style *style,
                      struct ww_buf *out)
{
    struct ww_paper p;

    ww_paper_init(&p, out, style->colour, style->width);
    ww_paper_ink(&p, WW_INK_BOLD);
    ww_paper_printf(&p, "Exchange %s", s->name);
    ww_paper_ink(&p, WW_INK_PLAIN);
    ww_paper_printf(&p, "\n");
    put_part(&p, s, SHOW_FACTS);
    put_message(&p, s, "Request", SHOW_REQUEST, SHOW_REQUEST_BODY);
    put_message(&p, s, "Response", SHOW_RESPONSE, SHOW_RESPONSE_BODY);
    if (s->masked) {
        ww_paper_ink(&p, WW_INK_DIM);
        ww_paper_printf(&p,
                        "\nmac:... stands for a secret: equal where the secrets were equal, "
                        "and nothing else.\n");
        ww_paper_ink(&p, WW_INK_PLAIN);
    }
}
