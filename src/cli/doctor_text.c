/* Prints what doctor saw and concluded, for people. */
#include "doctor.h"

#include <whichworker/paper.h>
#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_LISTENERS 8
#define MAX_PROCESSES 40
#define WHY_COLUMN    11
#define MAX_DEPTH     6
#define PID_COLUMNS   (8 + 2 * MAX_DEPTH)

static void put_heads(struct ww_paper *p, const char *heads)
{
    ww_paper_ink(p, WW_INK_DIM);
    ww_paper_printf(p, "%s", heads);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
}

static void put_more(struct ww_paper *p, size_t n)
{
    if (n > 0)
        ww_paper_printf(p, "  ... and %zu more\n", n);
}

static void put_headline(struct ww_paper *p, const struct doctor_input *in,
                         const struct doctor *d)
{
    static const struct {
        const char *word;
        enum ww_ink ink;
    } words[] = {
        [DOCTOR_YES] = { "WORKS", WW_INK_GREEN },
        [DOCTOR_PARTLY] = { "PARTLY", WW_INK_YELLOW },
        [DOCTOR_NO] = { "FAILS", WW_INK_RED },
        [DOCTOR_NOT_KNOWN] = { "UNKNOWN", WW_INK_YELLOW },
    };
    const struct doctor_source *kernel = &d->source[DOCTOR_KERNEL];
    size_t at = strlen(words[kernel->works].word) + 2;

    ww_paper_printf(p, "whichworker doctor of ");
    ww_paper_cell(p, in->upstream, p->width - 22, false);
    ww_paper_printf(p, "\n\n");
    ww_paper_ink(p, words[kernel->works].ink);
    ww_paper_printf(p, "%s", words[kernel->works].word);
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "  ");
    ww_paper_wrap(p, at, at, ww_buf_str(&kernel->why));
}

static void put_listeners(struct ww_paper *p, const struct ww_exam *e)
{
    if (e->listeners == 0)
        return;
    ww_paper_section(p, "Listening sockets");
    put_heads(p, "  address                         made by     waiting   held by");
    for (size_t i = 0; i < e->listeners && i < MAX_LISTENERS; i++) {
        const struct ww_exam_listener *l = &e->listener[i];
        char user[DOCTOR_USER] = "-";
        char queue[32];

        if (l->uid_known)
            doctor_user(l->uid, user);
        snprintf(queue, sizeof(queue), "%" PRIu32 "/%" PRIu32, l->queued, l->backlog);
        ww_paper_printf(p, "  ");
        ww_paper_cell(p, ww_str_c(l->at.text), 31, true);
        ww_paper_printf(p, " ");
        ww_paper_cell(p, ww_str_c(user), 11, true);
        ww_paper_printf(p, " %-9s ", queue);
        if (l->holders == 0)
            ww_paper_printf(p, "no process in sight\n");
        else {
            ww_paper_count(p, l->holders, "process", "processes");
            ww_paper_printf(p, "\n");
        }
    }
    if (e->listeners > MAX_LISTENERS)
        put_more(p, e->listeners - MAX_LISTENERS + e->listeners_left_out);
}

static size_t deepest(const struct ww_exam *e)
{
    unsigned depth = 0;

    for (size_t i = 0; i < e->processes; i++) {
        if (e->process[i].depth > depth)
            depth = e->process[i].depth;
    }
    return depth < MAX_DEPTH ? depth : MAX_DEPTH;
}

static const char *sight_of(const struct ww_exam_process *x)
{
    if (x->fd_error == 0)
        return "read";
    return x->closed ? "closed" : "refused";
}

static void put_process(struct ww_paper *p, const struct ww_exam_process *x, size_t pid_columns)
{
    char user[DOCTOR_USER] = "-";
    char pid[PID_COLUMNS + 1];
    char since[WW_TIME_TEXT];
    unsigned depth = x->depth < MAX_DEPTH ? x->depth : MAX_DEPTH;
    size_t used = 2 + pid_columns + 1 + 10 + 1 + 9 + 1 + 8 + 16;

    if (x->uid_known)
        doctor_user(x->uid, user);
    snprintf(pid, sizeof(pid), "%*s%" PRId32, (int)(2 * depth), "", x->worker.id.pid);
    ww_time_text(x->worker.started_us, since);
    ww_paper_printf(p, "  %-*s ", (int)pid_columns, pid);
    ww_paper_cell(p, ww_str_c(user), 10, true);
    ww_paper_printf(p, " %-9s ", ww_exam_role_token(x->role));
    ww_paper_ink(p, x->fd_error == 0 ? WW_INK_GREEN : WW_INK_RED);
    ww_paper_printf(p, "%-8s", sight_of(x));
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "%.5s %.8s  ", since + 5, since + 11);
    ww_paper_cell(p, ww_str_c(x->worker.command), p->width > used ? p->width - used : 0, false);
    ww_paper_printf(p, "\n");
}

/* Why some lines look as they do. */
static void put_legend(struct ww_paper *p, const struct ww_exam *e)
{
    bool closed = false;
    bool inferred = false;

    for (size_t i = 0; i < e->processes; i++) {
        closed = closed || e->process[i].closed;
        inferred = inferred || e->process[i].inferred;
    }
    if (closed)
        ww_paper_printf(p,
                        "  closed: changed its user without an exec; only root may read it\n");
    if (inferred) {
        ww_paper_printf(p, "  ");
        ww_paper_wrap(p, 2, 2,
                      WW_STR("refused and closed ones were not seen with the socket: "
                             "they stand beside one that was, or the kernel named "
                             "them or their parent"));
    }
}

static void put_processes(struct ww_paper *p, const struct ww_exam *e)
{
    size_t pid_columns = 7 + 2 * deepest(e);

    if (e->processes > 0) {
        ww_paper_section(p, "Processes");
        ww_paper_ink(p, WW_INK_DIM);
        ww_paper_printf(p, "  %-*s user       role      fds     since (UTC)     command",
                        (int)pid_columns, "PID");
        ww_paper_ink(p, WW_INK_PLAIN);
        ww_paper_printf(p, "\n");
    }
    for (size_t i = 0; i < e->processes && i < MAX_PROCESSES; i++)
        put_process(p, &e->process[i], pid_columns);
    if (e->processes > MAX_PROCESSES)
        put_more(p, e->processes - MAX_PROCESSES + e->processes_left_out);
    put_legend(p, e);
}

static void put_hidden(struct ww_paper *p, const struct ww_exam *e)
{
    if (e->hidden.processes == 0 || e->listeners == 0)
        return;
    ww_paper_printf(p, "  ");
    ww_paper_count(p, e->hidden.processes, "other process of this machine may not be read",
                   "other processes of this machine may not be read");
    if (e->hidden.own > 0)
        ww_paper_printf(p, ", %zu of them your own", e->hidden.own);
    ww_paper_printf(p, "\n");
}

/* ---- the live check */

static const char *owner_words(const struct touch_one *o)
{
    switch (o->owner) {
    case WW_OWNER_QUEUED:
        return "nobody accepted it: the workers are busy, still starting, or stopped";
    case WW_OWNER_UNSETTLED:
    case WW_OWNER_AMBIGUOUS:
    case WW_OWNER_UNKNOWN:
        return ww_obstacle_sentence(o->why);
    case WW_OWNER_KNOWN:
        break;
    }
    return "accepted";
}

static void put_touch(struct ww_paper *p, const struct touch_one *o, size_t i)
{
    ww_paper_printf(p, "  %zu  %7.2f ms  ", i + 1, (double)o->took_us / 1000);
    if (o->owner == WW_OWNER_KNOWN)
        ww_paper_printf(p, "accepted by %" PRId32 "\n", o->worker.id.pid);
    else
        ww_paper_wrap(p, 17, 17, ww_str_c(owner_words(o)));
}

static void put_touches(struct ww_paper *p, const struct touch *t)
{
    ww_paper_section(p, "Live check");
    if (!t->tried) {
        ww_paper_printf(p, "  left out (--no-connect): no connection was opened\n");
        return;
    }
    if (t->n > 0) {
        static const char many[] =
            "connections, one after the other; each was closed at once, ";
        static const char one[] = "connection was opened and closed at once, ";
        size_t at = 4 + (t->n == 1 ? sizeof(one) : sizeof(many)) - 1;

        ww_paper_printf(p, "  ");
        ww_paper_count(p, t->n, one, many);
        ww_paper_wrap(p, at, 2,
                      t->sent ? WW_STR("and since nobody accepted it without data, the first "
                                       "line of a request was sent, and never the rest")
                              : WW_STR("and nothing was sent"));
    }
    for (size_t i = 0; i < t->n; i++)
        put_touch(p, &t->one[i], i);
    if (t->error != 0) {
        const char *words = strerrordesc_np(t->error);

        ww_paper_printf(p, "  %s: %s\n",
                        t->n == 0 ? "connecting failed" : "then connecting failed",
                        words == NULL ? "an unknown error" : words);
    }
}

/* ---- sources and remedies */

static const char *works_words(enum doctor_works w)
{
    switch (w) {
    case DOCTOR_YES:
        return "works";
    case DOCTOR_PARTLY:
        return "works for some workers";
    case DOCTOR_NO:
        return "does not work here as it is";
    case DOCTOR_NOT_KNOWN:
        break;
    }
    return "cannot be told";
}

static void put_remedy(struct ww_paper *p, const struct doctor_remedy *r)
{
    ww_paper_printf(p, "%*s- ", WHY_COLUMN, "");
    ww_paper_wrap(p, WHY_COLUMN + 2, WHY_COLUMN + 2, ww_buf_str(&r->text));
    if (r->command.len == 0)
        return;
    /* Never broken: it is made to be copied. */
    ww_paper_printf(p, "%*s", WHY_COLUMN + 4, "");
    ww_paper_ink(p, WW_INK_BOLD);
    ww_buf_add_printable(p->out, ww_buf_str(&r->command));
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
}

/* The reason of the first source stands in the headline. */
static void put_source(struct ww_paper *p, const struct doctor_source *s, bool is_headline)
{
    static const enum ww_ink inks[] = {
        [DOCTOR_YES] = WW_INK_GREEN,
        [DOCTOR_PARTLY] = WW_INK_YELLOW,
        [DOCTOR_NO] = WW_INK_RED,
        [DOCTOR_NOT_KNOWN] = WW_INK_YELLOW,
    };

    ww_paper_printf(p, "  %-8s ", s->name);
    ww_paper_ink(p, inks[s->works]);
    ww_paper_printf(p, "%s", works_words(s->works));
    ww_paper_ink(p, WW_INK_PLAIN);
    ww_paper_printf(p, "\n");
    if (!is_headline) {
        ww_paper_printf(p, "%*s", WHY_COLUMN, "");
        ww_paper_wrap(p, WHY_COLUMN, WHY_COLUMN, ww_buf_str(&s->why));
    }
    for (size_t i = 0; i < s->remedies; i++)
        put_remedy(p, &s->remedy[i]);
}

static void put_self(struct ww_paper *p, const struct ww_exam *e)
{
    char user[DOCTOR_USER];

    doctor_user(e->uid, user);
    ww_paper_section(p, "This program");
    ww_paper_printf(p, "  ");
    ww_paper_cell(p, ww_str_c(e->program[0] == '\0' ? "whichworker" : e->program), p->width - 2,
                  false);
    ww_paper_printf(p, "\n  run by ");
    ww_paper_cell(p, ww_str_c(user), 32, false);
    ww_paper_printf(p, "; CAP_SYS_PTRACE %s, CAP_DAC_READ_SEARCH %s\n",
                    e->cap_ptrace ? "yes" : "no", e->cap_search ? "yes" : "no");
}

void doctor_text(const struct doctor_input *in, const struct doctor *d, bool colour,
                 unsigned width, struct ww_buf *out)
{
    struct ww_paper p;

    ww_paper_init(&p, out, colour, width);
    put_headline(&p, in, d);
    put_listeners(&p, in->exam);
    put_processes(&p, in->exam);
    if (d->serving == 0 || d->readable < d->serving)
        put_hidden(&p, in->exam);
    put_touches(&p, in->touch);
    ww_paper_section(&p, "Sources of attribution");
    for (size_t i = 0; i < DOCTOR_SOURCES; i++)
        put_source(&p, &d->source[i], i == DOCTOR_KERNEL);
    put_self(&p, in->exam);
}
