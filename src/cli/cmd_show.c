/* show: a trace looked at closely: sessions, one session, an exchange, two side by side. */
#include "command.h"
#include "judgement.h"
#include "selecting.h"

#include <whichworker/show.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOW_MAX_BYTES (1u << 30)

/* What is asked for, behind the trace. */
struct wanted {
    bool session;
    uint64_t number[2]; /* of the session, or of exchanges */
    size_t numbers;
};

/* Owns all but the judgement. */
struct showing {
    const struct config *config;
    struct judgement *judgement;
    const struct ww_verdict *verdict;
    struct ww_report_style style;
    struct ww_payload *payload; /* their slices are in the arena */
    size_t payloads;
    struct ww_arena arena;
    struct ww_buf out;
};

/* ---- what is asked for */

static int read_wanted(const struct config *c, struct wanted *w, struct ww_err *err)
{
    if (c->operand == NULL)
        return ww_err_set(err, WW_EUSAGE, "show wants a trace: whichworker show FILE");
    for (size_t i = 0; i < c->more_operands; i++) {
        ww_str word = ww_str_c(c->more_operand[i]);
        bool is_session = ww_str_starts(word, WW_STR("s"));

        if (is_session || ww_str_starts(word, WW_STR("#")))
            word = ww_str_from(word, 1);
        if (!ww_str_u64(word, &w->number[i]))
            return ww_err_set(err, WW_EUSAGE,
                              "'%s' is neither a session, as s3, nor an exchange, as 12",
                              c->more_operand[i]);
        if (is_session && c->more_operands > 1)
            return ww_err_set(err, WW_EUSAGE,
                              "one session at a time: two exchanges can be shown side by side, "
                              "as in 12 15");
        w->session = is_session;
        w->numbers++;
    }
    if (w->numbers > 0 && !w->session && c->filter.ptr != NULL)
        return ww_err_set(err, WW_EUSAGE,
                          "--filter is for lists and timelines: an exchange is shown whole");
    return WW_OK;
}

/* ---- reading once more */

static int read_payloads(struct showing *s, struct ww_err *err)
{
    struct ww_reader *r = s->judgement->reader;
    struct ww_payload p;
    size_t cap = 0;
    int got = ww_reader_rewind(r, err);

    while (got >= 0 && (got = ww_reader_next_payload(r, &p, err)) > 0) {
        s->payload = ww_grow(s->payload, s->payloads + 1, &cap, sizeof(*s->payload));
        s->payload[s->payloads++] =
            (struct ww_payload){ .value = ww_arena_dup(&s->arena, p.value),
                                 .form = p.form,
                                 .json = ww_arena_dup(&s->arena, p.json) };
    }
    return got < 0 ? got : WW_OK;
}

/* The exchange of that number, as lines. */
static int find_exchange(struct showing *s, uint64_t number, struct ww_show **out,
                         struct ww_err *err)
{
    const struct ww_exchange *x = NULL;
    struct ww_reader *r = s->judgement->reader;
    int got = ww_reader_rewind(r, err);

    for (size_t i = 0; got >= 0 && i < s->verdict->steps; i++) {
        got = ww_reader_next_exchange(r, &x, err);
        if (got <= 0)
            break;
        if (x->id == number) {
            *out = ww_show_new(s->verdict, i, x, s->payload, s->payloads);
            return WW_OK;
        }
    }
    if (got < 0)
        return got;
    return ww_err_set(err, WW_EUSAGE, "there is no exchange %llu in this trace",
                      (unsigned long long)number);
}

/* ---- showing */

static int show_exchanges(struct showing *s, const struct wanted *w, struct ww_err *err)
{
    struct ww_show *x[2] = { NULL, NULL };
    int status = read_payloads(s, err);

    for (size_t i = 0; i < w->numbers && status == WW_OK; i++)
        status = find_exchange(s, w->number[i], &x[i], err);
    if (status == WW_OK && w->numbers == 1)
        ww_show_exchange(x[0], &s->style, &s->out);
    else if (status == WW_OK)
        ww_show_pair(x[0], x[1], &s->style, &s->out);
    ww_show_free(x[0]);
    ww_show_free(x[1]);
    return status;
}

static int show_session(struct showing *s, uint64_t number, struct ww_err *err)
{
    char id[24];

    snprintf(id, sizeof(id), "s%llu", (unsigned long long)number);
    for (size_t i = 0; i < s->verdict->sessions; i++) {
        if (strcmp(s->verdict->session[i].id, id) == 0) {
            ww_show_session(s->verdict, i, &s->style, &s->out);
            return WW_OK;
        }
    }
    return ww_err_set(err, WW_EUSAGE, "there is no session %s in this trace%s", id,
                      s->config->filter.ptr == NULL ? "" : " that the filter selects");
}

static int show(struct showing *s, const struct wanted *w, struct ww_err *err)
{
    int status = WW_OK;

    if (w->numbers == 0)
        ww_show_sessions(s->verdict, &s->style, &s->out);
    else if (w->session)
        status = show_session(s, w->number[0], err);
    else
        status = show_exchanges(s, w, err);
    if (status < 0)
        return status;
    if (s->out.full)
        return ww_err_set(err, WW_ELIMIT, "what is to be shown would be larger than 1G");
    if (!write_all(STDOUT_FILENO, ww_buf_str(&s->out)))
        return ww_err_errno(err, errno, "cannot write");
    return EXIT_PASS;
}

static int show_judged(const struct config *c, struct judgement *j, const struct wanted *w,
                       struct ww_err *err)
{
    const struct ww_report report = judgement_report(j, ww_str_c(c->operand), NULL);
    struct showing s = {
        .config = c, .judgement = j, .verdict = report.verdict, .style = report.style
    };

    s.style.colour = wants_colour(c, STDOUT_FILENO);
    s.style.width = terminal_width(STDOUT_FILENO);
    ww_arena_init(&s.arena, SIZE_MAX);
    ww_buf_init(&s.out, SHOW_MAX_BYTES);

    int status = show(&s, w, err);

    ww_buf_release(&s.out);
    ww_arena_release(&s.arena);
    free(s.payload);
    return status;
}

static int show_run(const struct config *c, struct ww_err *err)
{
    const struct judgement_input in = { .config = c, .trace = c->operand };
    struct ww_filter *filter = NULL;
    struct judgement j = { 0 };
    struct wanted w = { 0 };

    if (read_wanted(c, &w, err) < 0 || selecting_filter(c, &filter, err) < 0)
        return err->code;

    int status = judgement_open(&j, &in, err);

    if (status == WW_OK && filter != NULL)
        status = judgement_filter(&j, filter, WW_SELECT_ALONE, err);
    if (status == WW_OK)
        status = show_judged(c, &j, &w, err);
    judgement_close(&j);
    ww_filter_free(filter);
    return status;
}

const struct command command_show = {
    .name = "show",
    .bit = FOR_SHOW,
    .help = "look at a trace: sessions, a timeline, an exchange, two side by side",
    .synopsis = "show [options] TRACE [SESSION | EXCHANGE [EXCHANGE]]",
    .text =
        "With a trace alone, its sessions in a line each. With a session (s3), all of its "
        "exchanges,\n"
        "each under the worker that served it. With an exchange (12), all of it: who served "
        "it, "
        "both\n"
        "heads, both bodies, unpacked and laid out, and what its cookies say without their "
        "key; "
        "secrets\n"
        "are shown as they were recorded, as keyed hashes. With two exchanges (12 15), both "
        "side "
        "by side,\n"
        "and a mark between the lines that differ.\n\n"
        "Exit status: 0 shown, 3 wrong usage, an unreadable trace or nothing of that number.",
    .examples = "  whichworker show cars.db\n"
                "  whichworker show cars.db --filter '~split & ~u /cars'\n"
                "  whichworker show cars.db s3\n"
                "  whichworker show cars.db 12 15\n",
    .run = show_run,
};
