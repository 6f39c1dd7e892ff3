/* Thresholds: read, named wrongly, and held against a verdict. */
#include "require.h"

#include "suggest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What a verdict can be measured by; not a number: it cannot. */
static double coverage(const struct ww_verdict *v)
{
    return v->coverage;
}

static double exchanges(const struct ww_verdict *v)
{
    return (double)v->steps;
}

static double sessions(const struct ww_verdict *v)
{
    return (double)v->sessions;
}

static double workers(const struct ww_verdict *v)
{
    return (double)v->workers;
}

static double splits(const struct ww_verdict *v)
{
    return (double)v->splits;
}

static double split_rate(const struct ww_verdict *v)
{
    return v->pairs == 0 ? NAN : (double)v->splits / (double)v->pairs;
}

static double findings(const struct ww_verdict *v)
{
    return (double)v->findings;
}

static double unknown(const struct ww_verdict *v)
{
    return (double)v->by[WW_BY_UNKNOWN];
}

static double ambiguous(const struct ww_verdict *v)
{
    return (double)v->by[WW_BY_AMBIGUOUS];
}

static double of_guarantee(const struct ww_verdict *v, enum ww_guarantee g)
{
    double n = 0;

    for (size_t i = 0; i < v->findings; i++)
        n += v->finding[i].guarantee == g;
    return n;
}

static double read_your_writes(const struct ww_verdict *v)
{
    return of_guarantee(v, WW_READ_YOUR_WRITES);
}

static double monotonic_reads(const struct ww_verdict *v)
{
    return of_guarantee(v, WW_MONOTONIC_READS);
}

static double session_reset(const struct ww_verdict *v)
{
    return of_guarantee(v, WW_SESSION_RESET);
}

static double status_flip(const struct ww_verdict *v)
{
    return of_guarantee(v, WW_STATUS_FLIP);
}

/* The names are those of the JSON report. */
static const struct {
    const char *name;
    double (*of)(const struct ww_verdict *v);
    bool is_share; /* from 0 to 1 */
} metrics[] = {
    { "coverage", coverage, true },
    { "exchanges", exchanges, false },
    { "sessions", sessions, false },
    { "workers", workers, false },
    { "splits", splits, false },
    { "split-rate", split_rate, true },
    { "findings", findings, false },
    { "read-your-writes", read_your_writes, false },
    { "monotonic-reads", monotonic_reads, false },
    { "session-reset", session_reset, false },
    { "status-flip", status_flip, false },
    { "unknown", unknown, false },
    { "ambiguous", ambiguous, false },
};

#define METRICS (sizeof(metrics) / sizeof(metrics[0]))

static const char *next_metric(const void *ctx, size_t i)
{
    (void)ctx;
    return i < METRICS ? metrics[i].name : NULL;
}

void requirement_names(struct ww_buf *out)
{
    for (size_t i = 0; i < METRICS; i++)
        ww_buf_printf(out, "%s%s", i == 0 ? "" : ", ", metrics[i].name);
}

/* JSON has split_rate where a flag reads better as split-rate. */
static bool is_name(ww_str word, const char *name)
{
    if (word.len != strlen(name))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] != name[i] && !(word.ptr[i] == '_' && name[i] == '-'))
            return false;
    return true;
}

static int find_metric(ww_str word, size_t *out, struct ww_err *err)
{
    struct ww_buf names;
    const char *meant = closest(word, next_metric, NULL);

    for (size_t i = 0; i < METRICS; i++) {
        if (is_name(word, metrics[i].name)) {
            *out = i;
            return WW_OK;
        }
    }
    ww_buf_init(&names, 512);
    requirement_names(&names);
    if (meant != NULL)
        ww_err_set(err, WW_EUSAGE,
                   "nothing is measured as '" WW_STRF "'; did you mean '%s'? There is " WW_STRF,
                   WW_STRV(word), meant, WW_STRV(ww_buf_str(&names)));
    else
        ww_err_set(err, WW_EUSAGE, "nothing is measured as '" WW_STRF "': there is " WW_STRF,
                   WW_STRV(word), WW_STRV(ww_buf_str(&names)));
    ww_buf_release(&names);
    return err == NULL ? WW_EUSAGE : (int)err->code;
}

static size_t read_relation(ww_str s, enum relation *out)
{
    static const struct {
        ww_str sign;
        enum relation is;
    } signs[] = { { { ">=", 2 }, AT_LEAST }, { { "<=", 2 }, AT_MOST },
                  { { "==", 2 }, EXACTLY },  { { ">", 1 }, MORE_THAN },
                  { { "<", 1 }, LESS_THAN }, { { "=", 1 }, EXACTLY } };

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!ww_str_starts(s, signs[i].sign))
            continue;
        *out = signs[i].is;
        return signs[i].sign.len;
    }
    return 0;
}

/* "0.99", "5", "20%". */
static bool read_bound(ww_str s, double *out)
{
    char text[32];
    char *end = NULL;
    bool percent = ww_str_ends(s, WW_STR("%"));

    if (percent)
        s = ww_str_upto(s, s.len - 1);
    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (strspn(text, "0123456789.") != s.len)
        return false;
    *out = strtod(text, &end) / (percent ? 100 : 1);
    return *end == '\0';
}

static int read_one(ww_str text, struct requirement *out, struct ww_err *err)
{
    size_t name = 0;
    size_t sign;

    text = ww_str_trim(text);
    while (name < text.len && strchr("<>=", text.ptr[name]) == NULL)
        name++;
    *out = (struct requirement){ .text = text };
    sign = read_relation(ww_str_from(text, name), &out->relation);
    if (sign == 0)
        return ww_err_set(err, WW_EUSAGE,
                          "'" WW_STRF "' compares nothing: 'coverage>=0.99', say",
                          WW_STRV(text));
    if (find_metric(ww_str_trim(ww_str_upto(text, name)), &out->metric, err) < 0)
        return WW_EUSAGE;

    ww_str bound = ww_str_trim(ww_str_from(text, name + sign));

    if (!read_bound(bound, &out->bound))
        return ww_err_set(err, WW_EUSAGE,
                          "'" WW_STRF "' is not a number: 'coverage>=0.99', say",
                          WW_STRV(bound));
    if (metrics[out->metric].is_share && out->bound > 1)
        return ww_err_set(err, WW_EUSAGE,
                          "%s is a share from 0 to 1, and '" WW_STRF
                          "' is more: '0.99' or '99%%', say",
                          metrics[out->metric].name, WW_STRV(bound));
    return WW_OK;
}

int requirements_add(struct requirements *r, ww_str list, struct ww_err *err)
{
    ww_str one;

    while (ww_str_cut(&list, ',', &one)) {
        if (r->n == REQUIREMENTS_MAX)
            return ww_err_set(err, WW_EUSAGE, "there are more than %d of them",
                              REQUIREMENTS_MAX);
        if (read_one(one, &r->one[r->n], err) < 0)
            return WW_EUSAGE;
        r->n++;
    }
    return WW_OK;
}

/* Counts as they are; shares cut, not rounded: 1 is all of them. */
static void write_value(double value, char out[24])
{
    if (isnan(value))
        snprintf(out, 24, "unknown");
    else if (value == floor(value))
        snprintf(out, 24, "%.0f", value);
    else
        snprintf(out, 24, "%.4g", floor(value * 10000) / 10000);
}

enum requirement_result requirement_judge(const struct requirement *r,
                                          const struct ww_verdict *v, char out_actual[24])
{
    double value = metrics[r->metric].of(v);

    write_value(value, out_actual);
    if (isnan(value))
        return REQUIREMENT_SHORT;
    switch (r->relation) {
    case AT_LEAST:
        return value >= r->bound ? REQUIREMENT_MET : REQUIREMENT_SHORT;
    case MORE_THAN:
        return value > r->bound ? REQUIREMENT_MET : REQUIREMENT_SHORT;
    case AT_MOST:
        return value <= r->bound ? REQUIREMENT_MET : REQUIREMENT_PASSED;
    case LESS_THAN:
        return value < r->bound ? REQUIREMENT_MET : REQUIREMENT_PASSED;
    case EXACTLY:
        break;
    }
    return value < r->bound   ? REQUIREMENT_SHORT
           : value > r->bound ? REQUIREMENT_PASSED
                              : REQUIREMENT_MET;
}
