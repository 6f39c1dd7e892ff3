/* tests: one .case file while it runs. */
#ifndef WW_CASE_RUN_H
#define WW_CASE_RUN_H

#include "case_rule.h"

#define WORKERS_MAX  16
#define JARS_MAX     64
#define COOKIES_MAX  8
#define TOKENS_MAX   24
#define FINDINGS_MAX 32
#define STEP_US      10000
#define LONG_US      1000000
#define EPOCH_US     (1700000000 * (int64_t)1000000)

struct cookie {
    char name[64];
    char value[64];
};

/* A client with its cookies, as a browser or requests.Session keeps them. */
struct jar {
    char name[32];
    struct cookie cookie[COOKIES_MAX];
    size_t cookies;
    char token[64]; /* the last that an answer gave out */
};

struct run {
    struct ww_judge *judge;
    struct ww_judge_config cfg;
    struct ww_worker worker[WORKERS_MAX];
    size_t workers;
    struct jar jar[JARS_MAX];
    size_t jars;
    bool shared_key;
    bool sticky;
    bool multipart; /* what follows in this request are parts */
    int64_t now_us, last_start_us;
    uint64_t id;
    struct ww_exchange **exchange;
    size_t exchanges, cap;
    const struct ww_verdict *verdict;
    struct case_rules rules;
    bool matched[FINDINGS_MAX];
    char why[512]; /* the first failure */
};

/* The first failure is kept. */
void case_fail(struct run *r, const char *fmt, ...) WW_FMT(2, 3);

/* What stands behind the prefix, or NULL. */
const char *case_after(const char *token, const char *prefix);

/* A word without the quotes around it. */
ww_str case_unquoted(const char *text);

/* A line that begins with `expect`; judges first, the first time. */
void case_expect(struct run *r, char **token, size_t n, size_t line);

/* Verdict and findings, as comments of TAP. */
void case_describe(const struct run *r);

#endif
