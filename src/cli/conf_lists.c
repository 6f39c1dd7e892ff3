/* The lists of the configuration file as one table, and their elements as the judge wants them.
 */
#include "conf_lists.h"

#include <stdlib.h>
#include <time.h>

#define KEY(name_, field, help_)                                                               \
    {                                                                                          \
        .name = name_, .offset = offsetof(struct conf_item, field), .help = help_              \
    }
#define ROUTE  KEY("route", route, "on which route; without it, on every one")
#define REASON KEY("reason", reason, "why: it is printed wherever the rule is")

/* clang-format off */
const struct conf_list conf_lists[CONF_LISTS] = {
    { .name = "sessions", .kind = -1,
      .help = "What holds a client's session together, where the usual carriers (session cookies, `Mcp-Session-Id`,\n"
              "`session_id`, `Authorization` …) are not it. The first of these that a request has is its session.\n"
              "Values are seen as they are recorded: secrets as keyed hashes, equal where the secret was.",
      .example = "sessions:\n"
                 "  - cookie: basket\n"
                 "  - header: X-Terminal\n"
                 "  - name: tenant\n"
                 "    pattern: '^/t/([a-z]+)/'\n",
      .key = { KEY("cookie", cookie, "the name of a cookie"),
               KEY("header", header, "the name of a request field"),
               KEY("query", query, "the name of a query field"),
               KEY("path", path, "the name of a path parameter: `;name=value`"),
               KEY("pattern", pattern, "a PCRE2 pattern whose first capture is the identity: applied to the cookie or field "
                                       "named beside it, else to path and query"),
               KEY("name", name, "what reports call a session that a pattern on the path found") } },
    { .name = "ignore", .kind = WW_RULE_IGNORE,
      .help = "What is taken out of answers before they are compared. One of the first three keys each. An answer that\n"
              "should be JSON and cannot be read is then not compared at all. Findings list what was ignored.",
      .example = "ignore:\n"
                 "  - pointer: /items/*/age\n"
                 "    route: GET /items\n"
                 "  - member: request_id\n"
                 "  - pattern: 'rendered in [0-9.]+ ms'\n"
                 "    reason: the footer of every page\n",
      .key = { KEY("pointer", pointer, "a JSON pointer (RFC 6901); `*` stands for any member or element"),
               KEY("member", member, "a JSON member's name, at any depth"),
               KEY("pattern", pattern, "a PCRE2 pattern: what it matches goes, from texts and from the values of JSON"),
               ROUTE, REASON } },
    { .name = "skip", .kind = WW_RULE_SKIP,
      .help = "Routes that are not judged: nothing is compared, no refusal counts, no change of worker is a split. What they\n"
              "change, and whom they log out, still explains what other requests show.",
      .example = "skip:\n"
                 "  - route: /static/**\n"
                 "  - route: GET /healthz\n",
      .key = { KEY("route", route, "which"), REASON } },
    { .name = "probes", .kind = WW_RULE_PROBE,
      .help = "What alone is compared of a route's answers, under a name: the state that matters on a page full of other\n"
              "things. Several probes of one route are compared together; `ignore` has no say there.",
      .example = "probes:\n"
                 "  - name: cars\n"
                 "    route: GET /cars\n"
                 "    pointer: /cars/*/name\n"
                 "  - name: cart\n"
                 "    route: GET /shop/**\n"
                 "    pattern: 'Cart: (\\d+) items'\n",
      .key = { KEY("name", name, "what findings call it"),
               KEY("route", route, "where it stands"),
               KEY("pointer", pointer, "the value or values, as for `ignore`"),
               KEY("pattern", pattern, "a PCRE2 pattern: its first capture is the value"), REASON } },
    { .name = "allow", .kind = WW_RULE_ALLOW,
      .help = "Findings that are shown and do not fail.",
      .example = "allow:\n"
                 "  - route: GET /metrics\n"
                 "    guarantee: monotonic-reads\n"
                 "    reason: each worker counts for itself, ticket 17\n"
                 "    until: 2027-03-31\n",
      .key = { KEY("route", route, "on which route"),
               KEY("guarantee", guarantee, "of which guarantee; without it, of any"), REASON,
               KEY("until", until, "the last day, YYYY-MM-DD (UTC), on which a recording may begin that is allowed this") } },
    { .name = "grades", .kind = WW_RULE_GRADE,
      .help = "How strong findings count. Of several that fit the last holds.",
      .example = "grades:\n"
                 "  - guarantee: monotonic-reads\n"
                 "    fail-on: confirmed\n"
                 "  - route: /admin/**\n"
                 "    cap: possible\n",
      .key = { KEY("guarantee", guarantee, "`read-your-writes`, `monotonic-reads`, `session-reset` or `status-flip`; without it, "
                                           "each"),
               ROUTE,
               KEY("cap", cap, "no finding is graded higher: `possible`, `likely` or `confirmed`"),
               KEY("fail-on", fail_on, "instead of --fail-on: `proven`, `confirmed`, `likely`, `possible` or `none`"),
               REASON } },
};
/* clang-format on */

/* ---- words and days */

static int read_guarantee(const char *word, int *out, struct ww_err *err)
{
    for (int g = 0; word != NULL && g < WW_GUARANTEES; g++) {
        if (strcmp(word, ww_guarantee_token((enum ww_guarantee)g)) == 0) {
            *out = g;
            return WW_OK;
        }
    }
    return word == NULL ? WW_OK
                        : ww_err_set(err, WW_EUSAGE,
                                     "guarantee: '%s' is none: read-your-writes, "
                                     "monotonic-reads, session-reset or status-flip",
                                     word);
}

static int read_cap(const char *word, int *out, struct ww_err *err)
{
    for (int g = 0; word != NULL && g < WW_PROVEN; g++) {
        if (strcmp(word, ww_grade_token((enum ww_grade)g)) == 0) {
            *out = g;
            return WW_OK;
        }
    }
    return word == NULL ? WW_OK
                        : ww_err_set(err, WW_EUSAGE,
                                     "cap: '%s' is not possible, likely or confirmed", word);
}

static int read_fail_on(const char *word, int *out, struct ww_err *err)
{
    enum ww_fail_on fail_on;

    if (word == NULL)
        return WW_OK;
    if (!ww_fail_on_find(ww_str_c(word), &fail_on) || fail_on == WW_FAIL_ON_SPLIT)
        return ww_err_set(err, WW_EUSAGE,
                          "fail-on: '%s' is not proven, confirmed, likely, possible or none",
                          word);
    *out = (int)fail_on;
    return WW_OK;
}

/* The end of that day. */
static int read_day(const char *word, int64_t *out_us, struct ww_err *err)
{
    struct tm day = { 0 };
    const char *end = word == NULL ? NULL : strptime(word, "%Y-%m-%d", &day);
    int mday = day.tm_mday, mon = day.tm_mon;

    if (word == NULL)
        return WW_OK;

    time_t at = end == NULL || *end != '\0' || strlen(word) != 10 ? -1 : timegm(&day);

    /* timegm takes the 31st of February for a day in March. */
    if (at < 0 || day.tm_mday != mday || day.tm_mon != mon)
        return ww_err_set(err, WW_EUSAGE, "until: '%s' is not a day such as 2027-03-31", word);
    *out_us = ((int64_t)at + 86400) * 1000000;
    return WW_OK;
}

/* ---- elements */

int conf_rule(const struct conf_list *list, const struct conf_item *item,
              struct ww_user_rule *out, struct ww_err *err)
{
    struct ww_user_rule r = { .kind = (enum ww_user_rule_kind)list->kind,
                              .route = ww_str_c(item->route),
                              .pointer = ww_str_c(item->pointer),
                              .member = ww_str_c(item->member),
                              .pattern = ww_str_c(item->pattern),
                              .name = ww_str_c(item->name),
                              .guarantee = -1,
                              .cap = -1,
                              .fail_on = -1,
                              .reason = ww_str_c(item->reason) };

    if (read_guarantee(item->guarantee, &r.guarantee, err) < 0 ||
        read_cap(item->cap, &r.cap, err) < 0 ||
        read_fail_on(item->fail_on, &r.fail_on, err) < 0 ||
        read_day(item->until, &r.until_us, err) < 0 || ww_user_rule_check(&r, err) < 0)
        return err->code;
    *out = r;
    return WW_OK;
}

int conf_carrier(const struct conf_item *item, struct ww_carrier *out, struct ww_err *err)
{
    const struct {
        const char *name;
        enum ww_key_kind kind;
    } way[] = { { item->cookie, WW_KEY_COOKIE },
                { item->header, WW_KEY_HEADER },
                { item->query, WW_KEY_QUERY },
                { item->path, WW_KEY_PATH } };
    int ways = 0;

    *out = (struct ww_carrier){ .kind = WW_KEY_PATTERN, .of = WW_OF_TARGET };
    for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
        if (way[i].name == NULL)
            continue;
        out->kind = way[i].kind;
        out->name = ww_str_c(way[i].name);
        ways++;
    }
    if (ways + (item->pattern != NULL) == 0 || ways > 1)
        return ww_err_set(err, WW_EUSAGE,
                          "sessions wants one of cookie, header, query and path, or a pattern");
    if (ways == 1 && item->name != NULL)
        return ww_err_set(err, WW_EUSAGE, "only a pattern on the path has a name of its own");
    if (item->pattern == NULL)
        return WW_OK;
    if (out->kind == WW_KEY_QUERY || out->kind == WW_KEY_PATH)
        return ww_err_set(err, WW_EUSAGE,
                          "a pattern goes with a cookie or a header, or stands alone");
    out->of = out->kind == WW_KEY_COOKIE   ? WW_OF_COOKIE
              : out->kind == WW_KEY_HEADER ? WW_OF_HEADER
                                           : WW_OF_TARGET;
    out->kind = WW_KEY_PATTERN;
    if (ways == 0)
        out->name = ww_str_c(item->name == NULL ? "pattern" : item->name);
    if (strchr(item->pattern, '(') == NULL)
        return ww_err_set(err, WW_EUSAGE,
                          "the pattern wants a ( ) around what identifies the session");
    out->pattern = ww_re_new(item->pattern, false, err);
    return out->pattern == NULL ? ww_err_wrap(err, "pattern") : WW_OK;
}
