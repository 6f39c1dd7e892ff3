/* JUnit XML, as Jenkins and GitLab read it. */
/*
 * A suite for each guarantee, a case for each pair of routes that sessions went over. Names
 * hold nothing that another run would not have, so that the history of a case can be followed.
 * What is inconclusive is skipped.
 */
#include "formats.h"
#include "text.h"
#include "words.h"

#include <whichworker/arena.h>
#include <whichworker/units.h>
#include <whichworker/xml.h>

#include <inttypes.h>
#include <stdlib.h>

#define MAX_CASES                                                                              \
    2000               /* of a suite, beside those that fail; so many routes have ids in them  \
                        */
#define MAX_TEXT 65536 /* bytes of one explanation */
#define SECONDS  1000000.0

enum outcome { PASSED, FAILED, SKIPPED, TROUBLE };

/* One <testcase>. */
struct test_case {
    struct ww_buf name;
    enum outcome outcome;
    const char *type;   /* of a failure or an error */
    struct ww_buf why;  /* in one line */
    struct ww_buf text; /* in many, behind a failure; or what passes and is told all the same */
};

struct suite {
    const char *name;
    struct test_case *v;
    size_t n, cap;
    size_t left_out;
};

struct junit {
    const struct ww_verdict *v;
    const struct ww_report_policy *policy;
    struct suite suite[WW_GUARANTEES + 1]; /* the last: what is no guarantee */
    size_t suites;
};

/* ---- making cases */

/* Borrowed until the next one. */
static struct test_case *add_case(struct suite *s)
{
    if (s->n == s->cap)
        s->v = ww_grow(s->v, s->n + 1, &s->cap, sizeof(*s->v));
    struct test_case *c = &s->v[s->n++];

    *c = (struct test_case){ .outcome = PASSED };
    ww_buf_init(&c->name, MAX_TEXT);
    ww_buf_init(&c->why, MAX_TEXT);
    ww_buf_init(&c->text, MAX_TEXT);
    return c;
}

static void explain(const struct junit *j, struct test_case *c, const struct ww_finding *f)
{
    struct ww_verdict alone = *j->v;
    struct ww_paper p;

    /* Read by itself: its remedy must not be "as for f1". */
    alone.finding = &j->v->finding[f - j->v->finding];
    alone.findings = 1;
    ww_paper_init(&p, &c->text, false, 0);
    ww_text_finding(&p, &alone, f);
}

static void settle_finding(const struct junit *j, struct test_case *c, size_t finding)
{
    const struct ww_finding *f = &j->v->finding[finding];
    struct ww_report_standing s = ww_report_standing_of(j->v, j->policy, finding);

    switch (s.is) {
    case WW_COUNTS:
        c->outcome = FAILED;
        c->type = ww_cause_token(f->cause);
        ww_buf_printf(&c->why, "%s: ", ww_grade_token(f->grade));
        ww_words_add(&c->why, f->message);
        break;
    case WW_ACCEPTED:
        c->outcome = SKIPPED;
        ww_buf_add_c(&c->why, "accepted: ");
        ww_words_add(&c->why, s.why.len > 0 ? s.why : WW_STR("no reason given"));
        break;
    case WW_BELOW:
        ww_buf_printf(&c->text, "Told, and not counted (%s):\n\n", ww_grade_token(f->grade));
        break;
    }
    explain(j, c, f);
}

static void skip(struct test_case *c, ww_str why)
{
    c->outcome = SKIPPED;
    ww_buf_add_c(&c->why, "inconclusive: ");
    ww_words_add(&c->why, why);
}

static void settle_trial(const struct junit *j, struct test_case *c, const struct ww_trial *t)
{
    if (t->finding != WW_NO_FINDING)
        settle_finding(j, c, t->finding);
    else if (j->v->doubt.ptr != NULL)
        skip(c, j->v->doubt);
    else if (j->v->workers > 1 && t->changed == 0)
        skip(c, WW_STR("no session was seen to go from one worker to another between these"));
}

/* The others of the same routes are told behind the worst one. */
static void add_others(const struct junit *j, struct test_case *c, const struct ww_trial *t)
{
    for (size_t i = 0; c->outcome == FAILED && i < j->v->findings; i++) {
        struct ww_trial of = ww_trial_of(j->v, &j->v->finding[i]);

        if (i == t->finding || of.guarantee != t->guarantee || of.from != t->from ||
            of.to != t->to)
            continue;
        ww_buf_add_char(&c->text, '\n');
        explain(j, c, &j->v->finding[i]);
    }
}

static void make_guarantees(struct junit *j)
{
    struct ww_trials t;

    ww_trials_init(&t, j->v);
    for (size_t g = 0; g < WW_GUARANTEES; g++)
        j->suite[g].name = ww_guarantee_token((enum ww_guarantee)g);
    for (size_t i = 0; i < t.n; i++) {
        struct suite *s = &j->suite[t.v[i].guarantee];

        if (s->n >= MAX_CASES && t.v[i].finding == WW_NO_FINDING) {
            s->left_out++;
            continue;
        }
        struct test_case *c = add_case(s);
        ww_words_trial(&c->name, j->v, &t.v[i]);
        settle_trial(j, c, &t.v[i]);
        if (t.v[i].finding != WW_NO_FINDING)
            add_others(j, c, &t.v[i]);
    }
    ww_trials_release(&t);
}

/* A guarantee to which no session gave an occasion still has its verdict. */
static void fill_empty(struct junit *j)
{
    for (size_t g = 0; g < WW_GUARANTEES; g++) {
        if (j->suite[g].n > 0)
            continue;
        struct test_case *c = add_case(&j->suite[g]);
        ww_buf_add_c(&c->name, "any request");
        if (j->v->guarantee[g] == WW_INCONCLUSIVE)
            skip(c, j->v->doubt.ptr != NULL ? j->v->doubt : j->v->why);
    }
}

static void add_requirement(struct suite *s, const struct ww_report_requirement *r)
{
    struct test_case *c = add_case(s);

    ww_words_cut(&c->name, r->text, 200);
    if (r->met)
        return;
    ww_buf_add_c(&c->why, r->too_little ? "inconclusive: it is " : "it is ");
    ww_words_add(&c->why, r->actual);
    c->outcome = r->too_little ? SKIPPED : FAILED;
    c->type = "requirement";
}

static bool has_failed(const struct junit *j)
{
    for (size_t s = 0; s < j->suites; s++) {
        for (size_t i = 0; i < j->suite[s].n; i++) {
            if (j->suite[s].v[i].outcome == FAILED || j->suite[s].v[i].outcome == TROUBLE)
                return true;
        }
    }
    return false;
}

/* Thresholds, a run that came to nothing, and a verdict that fails for no finding (a split). */
static void make_policy(struct junit *j)
{
    struct suite *s = &j->suite[WW_GUARANTEES];

    s->name = "policy";
    for (size_t i = 0; i < j->policy->requirements; i++)
        add_requirement(s, &j->policy->requirement[i]);
    if (j->policy->trouble.ptr != NULL) {
        struct test_case *c = add_case(s);
        ww_buf_add_c(&c->name, "the run is whole");
        c->outcome = TROUBLE;
        c->type = "trouble";
        ww_words_add(&c->why, j->policy->trouble);
    }
    if (j->v->value == WW_FAIL && !has_failed(j)) {
        struct test_case *c = add_case(s);
        ww_buf_add_c(&c->name, "verdict");
        c->outcome = FAILED;
        c->type = "verdict";
        ww_words_add(&c->why, j->v->why);
    }
    if (s->n == 0)
        j->suites--;
}

/* ---- writing them */

static size_t count(const struct suite *s, enum outcome o)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].outcome == o;
    return n;
}

static size_t count_all(const struct junit *j, enum outcome o)
{
    size_t n = 0;

    for (size_t i = 0; i < j->suites; i++)
        n += count(&j->suite[i], o);
    return n;
}

static void put_seconds(struct ww_xml *x, const struct ww_run *run)
{
    char text[32];
    int64_t us = run->ended_us > run->started_us ? run->ended_us - run->started_us : 0;

    snprintf(text, sizeof(text), "%.3f", (double)us / SECONDS);
    ww_xml_attr(x, "time", ww_str_c(text));
}

static void put_property(struct ww_xml *x, const char *name, const char *fmt, ...) WW_FMT(3, 4);

static void put_property(struct ww_xml *x, const char *name, const char *fmt, ...)
{
    struct ww_buf raw, shown;
    va_list ap;

    ww_buf_init(&raw, MAX_TEXT);
    ww_buf_init(&shown, MAX_TEXT);
    va_start(ap, fmt);
    ww_buf_vprintf(&raw, fmt, ap);
    va_end(ap);
    ww_words_add(&shown, ww_buf_str(&raw));
    ww_xml_open(x, "property");
    ww_xml_attr(x, "name", ww_str_c(name));
    ww_xml_attr(x, "value", ww_buf_str(&shown));
    ww_xml_close(x);
    ww_buf_release(&raw);
    ww_buf_release(&shown);
}

static void put_properties(struct ww_xml *x, const struct ww_verdict *v, const struct suite *s)
{
    ww_xml_open(x, "properties");
    put_property(x, "verdict", "%s", ww_verdict_token(v->value));
    put_property(x, "why", WW_STRF, WW_STRV(ww_str_upto(v->why, 1000)));
    put_property(x, "exchanges", "%zu", v->steps);
    put_property(x, "sessions", "%zu", v->sessions);
    put_property(x, "splits", "%zu", v->splits);
    put_property(x, "workers", "%zu", v->workers);
    put_property(x, "coverage", "%.4g", v->coverage);
    put_property(x, "upstream_connections", "%s", v->run.upstream_connections);
    put_property(x, "schedule", "%s", v->run.schedule);
    if (s->left_out > 0)
        put_property(x, "cases_left_out", "%zu", s->left_out);
    ww_xml_close(x);
}

static void put_element(struct ww_xml *x, const char *name, const struct test_case *c)
{
    ww_xml_open(x, name);
    ww_xml_attr(x, "type", ww_str_c(c->type));
    ww_xml_attr(x, "message", ww_buf_str(&c->why));
    ww_xml_text(x, c->text.len > 0 ? ww_buf_str(&c->text) : ww_buf_str(&c->why));
    ww_xml_close(x);
}

static void put_case(struct ww_xml *x, const struct suite *s, const struct test_case *c)
{
    char class[64];

    snprintf(class, sizeof(class), "whichworker.%s", s->name);
    ww_xml_open(x, "testcase");
    ww_xml_attr(x, "classname", ww_str_c(class));
    ww_xml_attr(x, "name", ww_buf_str(&c->name));
    switch (c->outcome) {
    case PASSED:
        break;
    case FAILED:
        put_element(x, "failure", c);
        break;
    case TROUBLE:
        put_element(x, "error", c);
        break;
    case SKIPPED:
        /* Without attributes: Jenkins' schema knows none, and all readers take the text. */
        ww_xml_open(x, "skipped");
        ww_xml_text(x, ww_buf_str(&c->why));
        ww_xml_close(x);
        break;
    }
    if (c->text.len > 0 && c->outcome != FAILED) {
        ww_xml_open(x, "system-out");
        ww_xml_text(x, ww_buf_str(&c->text));
        ww_xml_close(x);
    }
    ww_xml_close(x);
}

static void put_suite(struct ww_xml *x, const struct junit *j, const struct suite *s)
{
    char at[WW_TIME_TEXT];

    ww_time_text(j->v->run.started_us, at);
    ww_xml_open(x, "testsuite");
    ww_xml_attr(x, "name", ww_str_c(s->name));
    ww_xml_attr_int(x, "tests", (int64_t)s->n);
    ww_xml_attr_int(x, "failures", (int64_t)count(s, FAILED));
    ww_xml_attr_int(x, "errors", (int64_t)count(s, TROUBLE));
    ww_xml_attr_int(x, "skipped", (int64_t)count(s, SKIPPED));
    /* "2026-01-31T23:59:59": no zone is read. Nothing was recorded: no time. */
    ww_xml_attr(x, "timestamp", j->v->run.started_us == 0 ? (ww_str){ 0 } : ww_str_n(at, 19));
    put_seconds(x, &j->v->run);
    put_properties(x, j->v, s);
    for (size_t i = 0; i < s->n; i++)
        put_case(x, s, &s->v[i]);
    ww_xml_close(x);
}

static void put_all(struct ww_xml *x, const struct junit *j)
{
    size_t tests = 0;

    for (size_t i = 0; i < j->suites; i++)
        tests += j->suite[i].n;
    ww_xml_open(x, "testsuites");
    ww_xml_attr(x, "name", WW_STR("whichworker"));
    ww_xml_attr_int(x, "tests", (int64_t)tests);
    ww_xml_attr_int(x, "failures", (int64_t)count_all(j, FAILED));
    ww_xml_attr_int(x, "errors", (int64_t)count_all(j, TROUBLE));
    put_seconds(x, &j->v->run);
    for (size_t i = 0; i < j->suites; i++)
        put_suite(x, j, &j->suite[i]);
    ww_xml_close(x);
}

static void release(struct junit *j)
{
    for (size_t s = 0; s <= WW_GUARANTEES; s++) {
        for (size_t i = 0; i < j->suite[s].n; i++) {
            ww_buf_release(&j->suite[s].v[i].name);
            ww_buf_release(&j->suite[s].v[i].why);
            ww_buf_release(&j->suite[s].v[i].text);
        }
        free(j->suite[s].v);
    }
}

void ww_report_junit(const struct ww_verdict *v, const struct ww_report_style *style,
                     struct ww_buf *out)
{
    struct junit j = { .v = v, .policy = &style->policy, .suites = WW_GUARANTEES + 1 };
    struct ww_xml x;

    make_guarantees(&j);
    fill_empty(&j);
    make_policy(&j);
    ww_xml_init(&x, out);
    put_all(&x, &j);
    ww_xml_finish(&x);
    release(&j);
}
